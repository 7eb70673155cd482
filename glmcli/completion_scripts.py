"""What each shell loads to ask `glm --complete` for words; copies stand in `completions/`."""

from __future__ import annotations

_BASH = r"""# bash completion for glm; needs nothing but bash 3.2 or later
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
"""

_ZSH = r"""#compdef glm
_glm() {
    local -a found
    found=("${(@f)$(glm --complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    case $found[1] in
        :files) _files ;;
        :directories) _files -/ ;;
        ?*) _describe glm found ;;
    esac
}
if [ "$funcstack[1]" = "_glm" ]; then
    _glm "$@"
else
    compdef _glm glm
fi
"""

_FISH = r"""# fish completion for glm
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
"""

_POWERSHELL = r"""# PowerShell completion for glm
Register-ArgumentCompleter -Native -CommandName glm -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = $commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() }
    # The mark in front of the last word keeps an empty one from being dropped.
    $found = @(glm --complete powershell @before "_$wordToComplete" 2>$null)
    if ($found[0] -eq ':files' -or $found[0] -eq ':directories') { return }
    foreach ($line in $found) {
        $value, $help = $line -split "`t", 2
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
    }
}
"""

#: Shell -> script.
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
#: Shell -> name of the file under which it looks for the script.
FILES = {"bash": "glm.bash", "zsh": "_glm", "fish": "glm.fish", "powershell": "glm.ps1"}
