#!/bin/sh
# Installs Wanglian from the folder this file lies in, without a network. Nothing is changed before every check has passed.
# 从本文件所在的文件夹安装网联网关，不需要网络；全部检查通过以前，什么都不改。
#
#   sudo sh install.sh              into /opt/wanglian, as a service        装到 /opt/wanglian，作为系统服务
#   sh install.sh --prefix DIR      for yourself, without a service         只给自己用，不装服务
#        … --python PATH            with this interpreter                   指定 Python
#        … --rollback               back to the version before              退回上一个版本
#        … --uninstall              take the program away, keep plant and data  卸载程序，保留配置和数据
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd -P)
prefix=""
python=""
doing=install

say() { printf '%s\n    %s\n' "$1" "$2"; }
# A path as it must be typed: in quotes where a shell would take it apart.
typed() {
    case $1 in
    *[!A-Za-z0-9/._+-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf %s "$1" ;;
    esac
}
refuse() {
    say "没有做成：$1" "not done: $2" >&2
    exit 1
}
usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }

while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --python)
        [ $# -gt 1 ] && [ -n "$2" ] || { usage >&2; exit 2; }
        if [ "$1" = --prefix ]; then prefix=$2; else python=$2; fi
        shift
        ;;
    --rollback) doing=rollback ;;
    --uninstall) doing=uninstall ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done

# Where everything goes. With a prefix it all stays below it; without, it is the machine's.
if [ -n "$prefix" ]; then
    service=no
    case $prefix in /*) ;; *) prefix=$(pwd -P)/$prefix ;; esac
    plant=$prefix/etc/plant.yaml
    data=$prefix/data
else
    service=yes
    [ "$(id -u)" = 0 ] || refuse "装系统服务需要 root。请用 sudo，或用 --prefix 装到自己的文件夹。" \
        "a service is installed by root. Use sudo, or --prefix with a folder of your own."
    prefix=/opt/wanglian
    plant=/etc/wanglian/plant.yaml
    data=/var/lib/wanglian
fi
unit=/etc/systemd/system/wanglian.service

systemd_runs() { [ "$service" = yes ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }
is_version() { [ -f "$1/SHA256SUMS" ] && [ -x "$1/bin/wanglian" ]; }
fact() { sed -n "s/^$1=//p" "$here/BUNDLE"; }

check_bundle() {
    [ -f "$here/SHA256SUMS" ] && [ -f "$here/BUNDLE" ] || refuse "这里不是完整的安装包：$here" "not a whole bundle: $here"
    command -v sha256sum >/dev/null || refuse "缺少 sha256sum。" "sha256sum is missing."
    if ! wrong=$(cd "$here" && LC_ALL=C sha256sum -c SHA256SUMS 2>/dev/null); then
        printf '%s\n' "$wrong" | grep -v ': OK$' >&2 || :
        refuse "文件与 SHA256SUMS 不符，可能已损坏或被改动。请重新复制安装包。" \
            "files differ from SHA256SUMS: damaged, or changed. Copy the bundle again."
    fi
}

# Asks a candidate what it is. A service runs as another user, who must be able to run it too.
suits() {
    says=$("$1" -I - "$(fact python)" "$(fact machine)" "$(fact glibc)" "$service" 2>/dev/null <<'PYTHON'
import os, platform, sys
version, machine, glibc, service = sys.argv[1:]
def fits():
    if platform.python_implementation() != "CPython" or "%d.%d" % sys.version_info[:2] != version:
        return False
    if platform.machine() != machine or sys.maxsize < 2**32:
        return False
    name, _, has = os.confstr("CS_GNU_LIBC_VERSION").partition(" ")
    number = lambda text: [int(part) for part in text.split(".")]
    return name == "glibc" and (not glibc or number(has) >= number(glibc))
def others_can_run_it():
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.chdir("/")
            os.execv(os.path.realpath(sys.executable), [sys.executable, "-I", "-c", "import venv, ssl, sqlite3"])
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0
if fits() and (service == "no" or others_can_run_it()):
    print("fits")
PYTHON
    ) || return 1
    [ "$says" = fits ] # what is no Python at all may end well too
}

find_python() {
    wanted=$(fact python)
    set -- "python$wanted" "/usr/local/bin/python$wanted" "/usr/bin/python$wanted" python3 /usr/bin/python3
    [ -z "$python" ] || set -- "$python"
    for each in "$@"; do
        if found=$(command -v "$each") && suits "$found"; then
            python=$found
            return
        fi
    done
    refuse "没有合适的 Python。需要 CPython $wanted，$(fact machine)，glibc $(fact glibc) 或更新；作为服务安装时，其他用户也要能运行它。可用 --python 指定。" \
        "no suitable Python. It takes CPython $wanted on $(fact machine) with glibc $(fact glibc) or newer, and for a service one that other users can run. Name it with --python."
}

# A unit's words are as old as the systemd that reads them.
check_systemd() {
    [ "$service" = yes ] || return 0
    command -v useradd >/dev/null || refuse "缺少 useradd。" "useradd is missing."
    systemd_runs || return 0
    has=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    [ "${has:-0}" -ge 251 ] || refuse "systemd 需要 251 或更新，本机是 ${has:-?}。可用 --prefix 只装程序。" \
        "systemd 251 or newer is needed, here is ${has:-?}. With --prefix the program alone is installed."
}

# Makes the version's own environment; sets $new. SHA256SUMS is copied last: without it a version is not whole.
install_version() {
    new=$prefix/$(fact version)
    if is_version "$new" && ! cmp -s "$here/SHA256SUMS" "$new/SHA256SUMS"; then
        new=$new-$(sha256sum <"$here/SHA256SUMS" | cut -c1-8)
    fi
    if is_version "$new"; then
        say "已经装好：$new" "is there already: $new"
        return
    fi
    say "正在安装 $(fact version) 到 $new（约一分钟）" "installing $(fact version) into $new (about a minute)"
    rm -rf "$new"
    mkdir -p "$prefix"
    trap 'rm -rf "$new"' EXIT
    trap 'exit 130' HUP INT TERM
    "$python" -I -m venv --without-pip "$new"
    set -- "$here"/tools/pip-*.whl
    PIP_CONFIG_FILE=/dev/null "$new/bin/python" -I "$1/pip" install --isolated --quiet \
        --disable-pip-version-check --no-cache-dir --no-deps --no-index --find-links "$here/wheels" \
        --no-compile --only-binary :all: --require-hashes --requirement "$here/requirements.txt" ||
        refuse "安装失败，原版本不变。" "that failed; what was there before is unchanged."
    # The service can't write bytecode here. pip compiles one file after the other; this takes every core.
    "$new/bin/python" -I -m compileall -q -j 0 "$new/lib" >/dev/null || :
    "$new/bin/wanglian" check "$here/plant.yaml" >/dev/null ||
        refuse "新版本不能运行，原版本不变。" "the new version does not run; what was there before is unchanged."
    cp "$here/install.sh" "$here/BUNDLE" "$here/sbom.cdx.json" "$here/wanglian.service" "$here/plant.yaml" "$new/"
    cp -R "$here/docs" "$new/docs"
    cp "$here/SHA256SUMS" "$new/SHA256SUMS.new"
    sync
    mv "$new/SHA256SUMS.new" "$new/SHA256SUMS"
    trap - EXIT HUP INT TERM
}

# What the running version understood the new one must understand too.
check_plant() {
    [ -e "$plant" ] && [ -x "$prefix/current/bin/wanglian" ] || return 0
    if "$prefix/current/bin/wanglian" check "$plant" >/dev/null 2>&1 && ! "$new/bin/wanglian" check "$plant" >&2; then
        refuse "新版本认为 $plant 有错误（见上），仍使用原版本。改好后请再运行一次。" \
            "the new version finds mistakes in $plant (above), and the old one stays in use. Correct them and come again."
    fi
}

# One rename each: at any moment `current` is one whole version.
point() {
    ln -sfn "$2" "$prefix/.$1.new"
    "$prefix/$2/bin/python" -I -c 'import os, sys; os.replace(sys.argv[1], sys.argv[2])' "$prefix/.$1.new" "$prefix/$1"
}
switch_to() {
    before=$(readlink "$prefix/current" 2>/dev/null || :)
    if [ "$before" != "$1" ]; then
        if [ -n "$before" ] && is_version "$prefix/$before"; then point previous "$before"; fi
        point current "$1"
    fi
}

write_plant() {
    if [ -e "$plant" ]; then
        say "保留现有配置：$plant" "kept as it is: $plant"
        return
    fi
    mkdir -p "$(dirname "$plant")"
    if [ "$service" = yes ]; then
        cp "$prefix/current/plant.yaml" "$plant"
    else
        sed 's#^  data_dir: .*#  data_dir: ../data#' "$prefix/current/plant.yaml" >"$plant"
    fi
    say "写入示例配置：$plant" "wrote an example plant file: $plant"
}

install_service() {
    [ "$service" = yes ] || return 0
    getent group dialout >/dev/null || groupadd --system dialout
    if ! getent passwd wanglian >/dev/null; then
        useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin wanglian
        say "新建系统用户 wanglian" "made the system user wanglian"
    fi
    mkdir -p /etc/wanglian/secrets "$(dirname "$unit")" /usr/local/bin
    chmod 0700 /etc/wanglian/secrets
    ln -sfn "$prefix/current/bin/wanglian" /usr/local/bin/wanglian
    use_unit
}
use_unit() {
    [ "$service" = yes ] || return 0
    cp "$prefix/current/wanglian.service" "$unit.new"
    mv "$unit.new" "$unit"
    if systemd_runs; then
        systemctl daemon-reload
        systemctl enable --quiet wanglian
        systemctl try-restart wanglian
    else
        say "systemd 没有在运行：服务已写好，但未启用。" "systemd is not running: the service is written, not enabled."
    fi
}

tell_what_is_next() {
    say "完成：$prefix/current → $(readlink "$prefix/current")" "done: $prefix/current → $(readlink "$prefix/current")"
    echo
    if [ "$service" = yes ]; then
        say "下一步：" "next:"
        say "  1. 编辑 $plant，然后检查：wanglian check $plant" "  edit the plant file, then check it"
        say "  2. 启动：systemctl start wanglian    日志：journalctl -u wanglian" "  start it; read its log"
        say "  3. 本机浏览器打开 http://127.0.0.1:8080/" "  open the page on this machine"
    else
        say "下一步：$(typed "$prefix/current/bin/wanglian") run $(typed "$plant")" "next: the command above runs it"
    fi
    if [ -L "$prefix/previous" ]; then
        again="sh $(typed "$prefix/current/install.sh") --rollback"
        [ "$service" = yes ] || again="$again --prefix $(typed "$prefix")"
        say "退回上一版本：$again" "back to the version before: the command above"
    fi
}

roll_back() {
    before=$(readlink "$prefix/previous" 2>/dev/null || :)
    [ -n "$before" ] && is_version "$prefix/$before" ||
        refuse "没有上一个版本可退回。" "there is no version before to go back to."
    switch_to "$before"
    use_unit
    now=$(readlink "$prefix/current")
    say "已退回：$now。数据和配置不变。" "back at $now. Plant and data are unchanged."
}

uninstall() {
    if [ "$service" = yes ]; then
        if systemd_runs; then systemctl disable --now --quiet wanglian || :; fi
        rm -f "$unit" /usr/local/bin/wanglian
        if systemd_runs; then systemctl daemon-reload; fi
    fi
    rm -f "$prefix/current" "$prefix/previous"
    for each in "$prefix"/*; do
        if is_version "$each"; then rm -rf "$each"; fi
    done
    rmdir "$prefix" 2>/dev/null || :
    say "已卸载程序。配置（$(dirname "$plant")）和数据（$data）都保留，需要时请自行删除。" \
        "the program is gone. The plant file ($(dirname "$plant")) and the data ($data) stay; delete them yourself if you want to."
}

case $doing in
install)
    check_bundle
    find_python
    check_systemd
    install_version
    check_plant
    switch_to "${new##*/}"
    write_plant
    install_service
    tell_what_is_next
    ;;
rollback) roll_back ;;
uninstall) uninstall ;;
esac
