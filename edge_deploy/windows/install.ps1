# Installs Wanglian from the folder this file lies in, without a network. 从本文件所在的文件夹安装网联网关，不需要网络。
#
#   powershell -ExecutionPolicy Bypass -File install.ps1            install or upgrade 安装或升级
#       ... -Python C:\Python311\python.exe                         with this interpreter 指定 Python
#       ... -Use 0.1.0                                              switch to a version that is installed 切换到已装的版本
#       ... -Uninstall                                              take the program away, keep plant and data 卸载程序，保留配置和数据
#
# Built for Windows 10, 11 and Server 2016 or newer; not yet run on Windows. 为 Windows 编写，尚未在 Windows 上运行过。
[CmdletBinding()]
param([string]$Python = "", [string]$Use = "", [switch]$Uninstall)

Set-StrictMode -Version 2.0
$ErrorActionPreference = "Stop"
$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$program = Join-Path $env:ProgramFiles "Wanglian"
$home_ = Join-Path $env:ProgramData "Wanglian"
$plant = Join-Path $home_ "plant.yaml"
$data = Join-Path $home_ "data"
$task = "Wanglian"

function Say([string]$zh, [string]$en) { Write-Host $zh; Write-Host "    $en" }
function Refuse([string]$zh, [string]$en) {
    Say "没有做成：$zh" "not done: $en"
    exit 1
}
function Test-Version([string]$folder) {
    (Test-Path (Join-Path $folder "SHA256SUMS")) -and (Test-Path (Join-Path $folder "Scripts\wanglian.exe"))
}

function Get-Facts {
    $facts = @{}
    foreach ($line in Get-Content (Join-Path $here "BUNDLE")) {
        $name, $value = $line -split "=", 2
        $facts[$name] = $value
    }
    $facts
}

# Every file the list names must have the hash it names.
function Test-Bundle {
    if (-not (Test-Path (Join-Path $here "SHA256SUMS"))) { Refuse "这里不是完整的安装包：$here" "not a whole bundle: $here" }
    foreach ($line in [IO.File]::ReadAllLines((Join-Path $here "SHA256SUMS"))) {
        $hash, $name = $line -split "  ", 2
        $file = Join-Path $here $name.Replace("/", "\")
        if (-not (Test-Path -LiteralPath $file) -or
            (Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash.ToLowerInvariant() -ne $hash) {
            Refuse "文件与 SHA256SUMS 不符：$name。请重新复制安装包。" "$name differs from SHA256SUMS. Copy the bundle again."
        }
    }
}

# The task runs as LOCAL SERVICE, which sees no user's own folders.
function Find-Python($facts) {
    $wanted = $facts["python"]
    $ask = "import platform,sys; print('%d.%d %s %s' % (sys.version_info[0], sys.version_info[1], platform.machine(), sys.executable))"
    $candidates = @()
    if ($Python) { $candidates += , @($Python) } else { $candidates += , @("py", "-$wanted"); $candidates += , @("python") }
    foreach ($candidate in $candidates) {
        if (-not (Get-Command $candidate[0] -ErrorAction SilentlyContinue)) { continue }
        $more = @($candidate | Select-Object -Skip 1)
        $said = (& $candidate[0] @more -I -c $ask) -join ""
        if ($LASTEXITCODE -ne 0) { continue }
        $version, $machine, $path = $said -split " ", 3
        if ($version -ne $wanted -or $machine -ne $facts["machine"]) { continue }
        if ($path -like (Join-Path (Split-Path $env:PUBLIC) "*")) { continue }
        return $path
    }
    Refuse "没有合适的 Python。需要 64 位 CPython $wanted，并且安装时选择“为所有用户安装”。" `
        "no suitable Python. It takes 64-bit CPython $wanted, installed for all users."
}

function Install-Version($facts, [string]$python) {
    $new = Join-Path $program $facts["version"]
    $sums = Join-Path $here "SHA256SUMS"
    if ((Test-Version $new) -and (Get-FileHash $sums).Hash -ne (Get-FileHash (Join-Path $new "SHA256SUMS")).Hash) {
        $new = $new + "-" + (Get-FileHash $sums).Hash.Substring(0, 8).ToLowerInvariant()
    }
    if (Test-Version $new) { Say "已经装好：$new" "is there already: $new"; return $new }
    Say "正在安装到 $new（约一分钟）" "installing into $new (about a minute)"
    if (Test-Path $new) { Remove-Item -Recurse -Force $new }
    New-Item -ItemType Directory -Force $program | Out-Null
    & $python -I -m venv --without-pip $new | Out-Host
    if ($LASTEXITCODE -ne 0) { Refuse "无法建立运行环境。" "the environment could not be made." }
    $own = Join-Path $new "Scripts\python.exe"
    $tool = @(Get-ChildItem (Join-Path $here "tools\pip-*.whl"))[0]
    $pip = Join-Path $tool.FullName "pip"
    $env:PIP_CONFIG_FILE = "nul"
    & $own -I $pip install --isolated --quiet --disable-pip-version-check --no-cache-dir --no-deps --no-index `
        --find-links (Join-Path $here "wheels") --only-binary ":all:" --require-hashes `
        --requirement (Join-Path $here "requirements.txt") | Out-Host
    if ($LASTEXITCODE -ne 0) { Refuse "安装失败，原版本不变。" "that failed; what was there before is unchanged." }
    & (Join-Path $new "Scripts\wanglian.exe") check (Join-Path $here "plant.yaml") | Out-Null
    if ($LASTEXITCODE -ne 0) { Refuse "新版本不能运行，原版本不变。" "the new version does not run; what was there before is unchanged." }
    foreach ($each in "install.ps1", "task.py", "BUNDLE", "sbom.cdx.json", "plant.yaml") {
        Copy-Item (Join-Path $here $each) $new
    }
    Copy-Item -Recurse (Join-Path $here "docs") $new
    # Last: without it a version is not whole.
    Copy-Item $sums $new
    $new
}

# The version a task runs is in its action: registering it anew is the switch, and the way back.
function Register-Version([string]$folder) {
    $arguments = '-I "{0}" "{1}" "{2}"' -f (Join-Path $folder "task.py"), $plant, (Join-Path $home_ "log\wanglian.log")
    $action = New-ScheduledTaskAction -Execute (Join-Path $folder "Scripts\python.exe") -Argument $arguments -WorkingDirectory $home_
    $trigger = New-ScheduledTaskTrigger -AtStartup
    $who = New-ScheduledTaskPrincipal -UserId "NT AUTHORITY\LOCAL SERVICE" -LogonType ServiceAccount -RunLevel Limited
    # 4: normal. A task's own default of 7 is below it, also for the disk.
    $settings = New-ScheduledTaskSettingsSet -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1) `
        -ExecutionTimeLimit (New-TimeSpan) -MultipleInstances IgnoreNew -Priority 4 -StartWhenAvailable `
        -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
    Stop-ScheduledTask -TaskName $task -ErrorAction SilentlyContinue
    Register-ScheduledTask -TaskName $task -Action $action -Trigger $trigger -Principal $who -Settings $settings -Force | Out-Null
}

function Initialize-Home {
    foreach ($each in $home_, $data, (Join-Path $home_ "log"), (Join-Path $home_ "secrets")) {
        New-Item -ItemType Directory -Force $each | Out-Null
    }
    # Administrators and the system own it, the service changes data and log only; nobody else reads.
    & icacls $home_ /inheritance:r /grant:r "*S-1-5-32-544:(OI)(CI)F" "*S-1-5-18:(OI)(CI)F" "*S-1-5-19:(OI)(CI)RX" /Q | Out-Null
    foreach ($each in $data, (Join-Path $home_ "log")) { & icacls $each /grant "*S-1-5-19:(OI)(CI)M" /Q | Out-Null }
    if (Test-Path $plant) { Say "保留现有配置：$plant" "kept as it is: $plant"; return }
    $text = [IO.File]::ReadAllText((Join-Path $here "plant.yaml")) -replace "(?m)^  data_dir: .*$", "  data_dir: data"
    [IO.File]::WriteAllText($plant, $text, (New-Object Text.UTF8Encoding $false))
    Say "写入示例配置：$plant" "wrote an example plant file: $plant"
}

$admin = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $admin.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    Refuse "请以管理员身份运行 PowerShell。" "run PowerShell as administrator."
}
if ($Uninstall) {
    Stop-ScheduledTask -TaskName $task -ErrorAction SilentlyContinue
    Unregister-ScheduledTask -TaskName $task -Confirm:$false -ErrorAction SilentlyContinue
    if (Test-Path $program) { Remove-Item -Recurse -Force $program }
    Say "已卸载程序。配置和数据都保留在 $home_。" "the program is gone. Plant file and data stay in $home_."
    exit 0
}
if ($Use) {
    $folder = Join-Path $program $Use
    if (-not (Test-Version $folder)) { Refuse "没有装过 $Use。" "$Use is not installed." }
    Register-Version $folder
    Start-ScheduledTask -TaskName $task
    Say "已切换到 $Use。数据和配置不变。" "runs $Use now. Plant and data are unchanged."
    exit 0
}
Test-Bundle
$facts = Get-Facts
$found = Find-Python $facts
$new = Install-Version $facts $found
Initialize-Home
Register-Version $new
Say "完成：$new" "done: $new"
Say "下一步：编辑 $plant，检查：& '$new\Scripts\wanglian.exe' check '$plant'" "next: edit the plant file, then check it"
Say "启动：Start-ScheduledTask $task    日志：$home_\log\wanglian.log" "start it; read its log"
Say "本机浏览器打开 http://127.0.0.1:8080/" "open the page on this machine"
