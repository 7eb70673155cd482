# fish completion for glm
function __glm_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (glm --complete fish $words[2..-1] "$current" 2>/dev/null)
    switch "$found[1]"
        case :files
            __fish_complete_path "$current"
        case :directories
            __fish_complete_directories "$current"
        case '?*'
            printf '%s\n' $found
    end
end
complete -c glm -f -a '(__glm_complete)'
