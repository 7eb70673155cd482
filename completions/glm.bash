# bash completion for glm; needs nothing but bash 3.2 or later
_glm() {
    local current=${COMP_WORDS[COMP_CWORD]} line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files | :directories)
                [ "$current" = "=" ] && current=
                local kind=-f
                [ "$line" = :directories ] && kind=-d
                compopt -o filenames 2>/dev/null
                while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen $kind -- "$current")
                return
                ;;
        esac
        COMPREPLY+=("$line")
    done < <(glm --complete bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _glm glm
