/*
 * The shells' side of completion: each hands the line up to the cursor to `basalt complete --line`, which prints
 * one candidate a line, `value<TAB>help`, or `:files` where the shell shall complete file names. Nothing that is
 * typed is evaluated, and no other completion package is needed.
 */

const bash = `# bash completion for basalt: source <(basalt completion bash)
_basalt() {
  local line="\${COMP_LINE:0:COMP_POINT}" candidate
  local word="\${line##*[[:space:]]}"
  # Bash takes a word apart at @, = and : and replaces its last part only, which is $2.
  local before="\${word%"$2"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    if [[ $candidate == ':files' ]]; then
      compopt -o default
    elif [[ $candidate == "$word"* ]]; then
      COMPREPLY+=("\${candidate#"$before"}")
    fi
  done < <("$1" complete --line "$line" 2>/dev/null)
}
complete -F _basalt basalt
`

const zsh = `#compdef basalt
# zsh completion for basalt: source <(basalt completion zsh)
_basalt() {
  local -a candidates
  local value help
  while IFS=$'\\t' read -r value help; do
    if [[ $value == ':files' ]]; then
      _files
      return
    fi
    candidates+=("\${value//:/\\\\:}:$help")
  done < <("\${words[1]}" complete --line "\${(j: :)words[1,CURRENT]}" 2>/dev/null)
  _describe basalt candidates
}
compdef _basalt basalt
`

const fish = `# fish completion for basalt: basalt completion fish | source
function __basalt_complete
    for line in (basalt complete --line (commandline -cp | string collect) 2>/dev/null)
        if test "$line" = ':files'
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c basalt -f -a '(__basalt_complete)'
`

export const completionScripts: Readonly<Record<string, string>> = { bash, zsh, fish }
