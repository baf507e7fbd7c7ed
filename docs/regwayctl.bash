# bash completion for regwayctl
_regwayctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} socket=() cmd= i
	local commands='status accounts account explain register unregister refresh servers plugins
		calls trunk reload check watch trace'
	local states='idle held searching registered refreshing backoff unregistering'

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket) socket=(-s "${COMP_WORDS[++i]}") ;;
		-t | --timeout | --state) ((i++)) ;;
		-*) ;;
		*) cmd=${cmd:-${COMP_WORDS[i]}} ;;
		esac
	done
	case $prev in
	-s | --socket) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	-t | --timeout) return ;;
	--state) mapfile -t COMPREPLY < <(compgen -W "$states" -- "$cur"); return ;;
	esac
	if [[ $cur == -* ]]; then
		local options='--socket --timeout --json --version --help'
		case $cmd in
		accounts) options+=' --state' ;;
		register | unregister | refresh) options+=' --all' ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $cmd in
	'') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
	trunk)
		if [[ $prev == trunk ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(regwayctl "${socket[@]}" -t 2 trunk 2>/dev/null |
				sed -n '2,500s/ .*//p')" -- "$cur")
			__ltrim_colon_completions "$cur" 2>/dev/null # a colon ends a word
		elif [[ $prev != up && $prev != down ]]; then
			mapfile -t COMPREPLY < <(compgen -W 'up down' -- "$cur")
		fi ;;
	check) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	account | explain | register | unregister | refresh | trace)
		# One page of names at most, and no waiting for a daemon that does not answer.
		mapfile -t COMPREPLY < <(compgen -W "$(regwayctl "${socket[@]}" -t 2 accounts "$cur*" 2>/dev/null |
			sed -n '2,500s/ .*//p')" -- "$cur") ;;
	esac
}
complete -F _regwayctl regwayctl
