# The package list of an image as an SPDX 2.3 document.
def id: gsub("[^A-Za-z0-9.-]"; "-");
{
	spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: $name,
	documentNamespace: "urn:threephoenix:\($name):\($sum)",
	creationInfo: {created: $when, creators: ["Tool: threephoenix-\($version)"]},
	packages: ([{
		SPDXID: "SPDXRef-Image", name: $name, versionInfo: $version, downloadLocation: "NOASSERTION", filesAnalyzed: false,
		checksums: [{algorithm: "SHA256", checksumValue: $sum}], primaryPackagePurpose: "OPERATING-SYSTEM"
	}] + [.packages[] | {
		SPDXID: "SPDXRef-\(.name | id)-\(.architecture | id)", name, versionInfo: .version,
		downloadLocation: "NOASSERTION", filesAnalyzed: false,
		externalRefs: [{
			referenceCategory: "PACKAGE-MANAGER", referenceType: "purl",
			referenceLocator: "pkg:deb/\($distribution)/\(.name | @uri)@\(.version | @uri)?arch=\(.architecture)"
		}]
	}]),
	relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-Image"}]
		+ [.packages[] | {spdxElementId: "SPDXRef-Image", relationshipType: "CONTAINS",
			relatedSpdxElement: "SPDXRef-\(.name | id)-\(.architecture | id)"}])
}
