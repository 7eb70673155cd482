# PowerShell completion for glm
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
