/* What single values of phoenix.yaml may be. Each check answers NULL, or what the text is not ("not
 * a MAC address"); some put the text into its normal form. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

const char *value_label(char *text);  /* DNS label that begins with a letter */
const char *value_domain(char *text); /* two labels at least, without a last dot */
const char *value_email(char *text);
const char *value_ipv4(char *text);    /* a unicast address */
const char *value_address(char *text); /* ADDRESS/PREFIX of a node */
const char *value_network(char *text); /* CIDR without host bits, IPv4 or IPv6 */
const char *value_server(char *text);  /* IP literal or host name, for DNS and NTP */
const char *value_mac(char *text);     /* lower-cased */
const char *value_device(char *text);  /* below /dev/ */
const char *value_ssh_key(char *text);
const char *value_cron(char *text);
const char *value_duration(char *text);
const char *value_size(char *text);	/* 1Gi at least */
const char *value_url(char *text);	/* https://… */
const char *value_endpoint(char *text); /* http:// or https:// */
const char *value_bucket(char *text);
const char *value_word(char *text); /* letters, digits, "-_./" */

/* Splits "192.0.2.11/24" that value_address found good; host byte order. */
bool address_split(const char *text, uint32_t *address, int *prefix);
bool address_parse(const char *text, uint32_t *address);
