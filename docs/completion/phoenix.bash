# bash completion for phoenix(1): commands come from the program itself, options from each command's --help
_phoenix() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	if [ "$COMP_CWORD" -eq 1 ]; then
		words=$(phoenix --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p')
	elif [ "${cur#-}" != "$cur" ]; then
		words=$(phoenix "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z-]+' | sort -u)
	else
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _phoenix phoenix
