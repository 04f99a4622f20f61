#!/usr/bin/env bash
# Copies a database from another environment over ssh. The source needs neither MongoDB's tools nor
# Backdrop: its MongoDB is read through a tunnel, from a secondary where there is one.
#
#   tools/replicate-db.sh [OPTION…] <user@source-host> [<target-uri>]
#
# What the target (mongodb://localhost/backdrop) has of the same collections is replaced.
#
#   --sqlite FILE          the target is this file of the embedded store
#   --port PORT            of MongoDB on the source (27017)
#   --mongo-host HOST      where MongoDB is, seen from the source (127.0.0.1)
#   --database NAME        on the source (backdrop)
#   --user NAME            MongoDB's user on the source
#   --auth-database NAME   where that user is kept (the database itself)
#   --password-file FILE   its first line is the password; else it is in BACKDROP_SOURCE_PASSWORD
#   --ssh-port PORT        of the source's sshd
#   --identity FILE        the key for ssh
#   --ssh-option OPTION    as for ssh -o; can be given more than once
#   --ignore COLLECTION    leaves this one out too; can be given more than once
#   --with-mongodump       runs mongodump on the source instead of reading through a tunnel
#   --dry-run              copies from the source, shows what a restore would do, and does not restore
#   --yes                  does not ask before it overwrites
#
# A target URI with a password belongs into the variable BACKDROP_TARGET_URI, since anyone can read
# command lines. Ends with 0 when done, 1 on a failure, 2 on wrong usage, 130 when interrupted.
set -euo pipefail

# Collections that are never copied; the original's script left out the same, but for the audit log,
# which says what was done in the environment that it is of.
ignored=(system.indexes govuk_asset_requests govuk_info_page_statistics _audit)

tools=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$tools")

usage() {
    sed -n '2,26s/^# \{0,1\}//p' "$0"
}

wrong_usage() {
    echo "$1; --help says more" >&2
    exit 2
}

fail() {
    echo "$1" >&2
    exit 1
}

say() {
    echo "== $1" >&2
}

# What is asked for.

parse_arguments() {
    # Not for the environment of other programs, even if the caller has variables of these names there.
    unset target password
    source_host='' target='' sqlite_file=''
    mongo_host=127.0.0.1 mongo_port=27017 database=backdrop user='' auth_database='' password_file=''
    ssh_arguments=() with_mongodump='' dry_run='' yes=''
    while [ $# -gt 0 ]; do
        case $1 in
            --with-mongodump) with_mongodump=1 ;;
            --dry-run) dry_run=1 ;;
            --yes) yes=1 ;;
            -h | --help) usage && exit 0 ;;
            --*)
                [ $# -ge 2 ] || wrong_usage "$1 is no option, or lacks its value"
                parse_option "$1" "$2"
                shift
                ;;
            *) parse_place "$1" ;;
        esac
        shift
    done
    check_arguments
}

parse_option() {
    [ -n "$2" ] || wrong_usage "$1 lacks its value"
    case $1 in
        --sqlite) sqlite_file=$2 ;;
        --port) mongo_port=$2 ;;
        --mongo-host) mongo_host=$2 ;;
        --database) database=$2 ;;
        --user) user=$2 ;;
        --auth-database) auth_database=$2 ;;
        --password-file) password_file=$2 ;;
        --ssh-port) ssh_arguments+=(-p "$2") ;;
        --identity) ssh_arguments+=(-i "$2" -o IdentitiesOnly=yes) ;;
        --ssh-option) ssh_arguments+=(-o "$2") ;;
        --ignore) ignored+=("$2") ;;
        *) wrong_usage "$1 is no option" ;;
    esac
}

parse_place() {
    case $1 in
        -* | '') wrong_usage "'$1' is no option" ;;
    esac
    if [ -z "$source_host" ]; then
        source_host=$1
    elif [ -z "$target" ]; then
        target=$1
        case $target in
            *://*@*) echo "warning: other users of this machine can read this command line: if there is a" \
                "password in it, rather put the URI into BACKDROP_TARGET_URI" >&2 ;;
        esac
    else
        wrong_usage "'$1' is one argument too many"
    fi
}

check_arguments() {
    local name='^[A-Za-z0-9_-]+$' host='^[A-Za-z0-9.:_-]+$'
    [ -n "$source_host" ] || wrong_usage "the source is missing: user@host"
    [[ $mongo_port =~ ^[0-9]{1,5}$ ]] || wrong_usage "--port is a number"
    [[ $mongo_host =~ $host ]] || wrong_usage "--mongo-host is a name or an address"
    [[ $database =~ $name ]] || wrong_usage "--database has letters, digits, '_' and '-' only"
    [[ ${auth_database:-x} =~ $name ]] || wrong_usage "--auth-database has letters, digits, '_' and '-' only"
    if [ -n "$sqlite_file" ]; then
        [ -z "$target" ] || wrong_usage "the target is either a URI or --sqlite FILE"
        [[ $sqlite_file == /* ]] || sqlite_file=$PWD/$sqlite_file
        target=sqlite://$sqlite_file
    fi
    target=${target:-${BACKDROP_TARGET_URI:-mongodb://localhost/backdrop}}
    case $target in
        mongodb://* | mongodb+srv://* | sqlite://*) ;;
        *) wrong_usage "the target is a URI, as in mongodb://localhost/backdrop" ;;
    esac
    # Programs that are started from here take BACKDROP_* for settings, and need no password.
    write_program=${BACKDROP_WRITE:-}
    password=${BACKDROP_SOURCE_PASSWORD:-}
    unset BACKDROP_TARGET_URI BACKDROP_WRITE BACKDROP_SOURCE_PASSWORD
    check_credentials
}

check_credentials() {
    if [ -n "$password_file" ]; then
        [ -r "$password_file" ] || fail "$password_file cannot be read"
        IFS= read -r password <"$password_file" || true
    fi
    if [ -z "$user" ]; then
        [ -z "$password_file$auth_database" ] || wrong_usage "there is a password or its database, but no --user"
    elif [ -z "$password" ]; then
        wrong_usage "the password of $user is missing: --password-file, or BACKDROP_SOURCE_PASSWORD"
    fi
}

target_without_credentials() {
    local rest=${target#*://}
    case $target in
        mongodb*) rest=${rest##*@} && rest=${rest%%\?*} ;;
    esac
    echo "${target%%://*}://$rest"
}

# What this machine needs.

check_tools() {
    need ssh openssh-client
    need python3 python3
    if [ -n "$with_mongodump" ]; then
        need tar tar
    fi
    if [ -z "$yes$dry_run" ] && ! [ -t 0 ]; then
        fail "there is no terminal to ask on whether to overwrite: give --yes if that is all right"
    fi
}

need() {
    command -v "$1" >/dev/null || fail "$1 is missing: apt-get install $2"
}

find_write_program() {
    if [ -z "$write_program" ]; then
        write_program=${CARGO_TARGET_DIR:-$root/target}/release/backdrop-write
        if ! [ -x "$write_program" ]; then
            say "building backdrop-write"
            run build || fail "backdrop-write cannot be built"
        fi
    fi
    [ -x "$write_program" ] || fail "$write_program is no program"
}

build() {
    cd "$root"
    tools/install-build-tools.sh
    exec cargo build --release --locked --quiet --bin backdrop-write
}

# Whatever happens, nothing stays: children are ended, the connection is closed, the folder goes.

make_work_folder() {
    children=() restoring=''
    trap clean_up EXIT
    trap interrupted INT TERM HUP
    work=$(umask 077 && mktemp -d "${TMPDIR:-/tmp}/replicate-db.XXXXXX")
    control=$work/ssh
    # Commands over the connection that is there, or not at all: never over a second one.
    session=(ssh -F /dev/null -S "$control" -o ProxyCommand=false -o BatchMode=yes)
}

interrupted() {
    trap '' INT TERM HUP
    echo "interrupted${restoring:+ while restoring: the target has only a part of the copy}" >&2 || true
    exit 130
}

clean_up() {
    # A second Ctrl-C does not keep this from its end.
    trap '' INT TERM HUP
    if [ ${#children[@]} -gt 0 ]; then
        kill "${children[@]}" 2>/dev/null || true
        wait "${children[@]}" 2>/dev/null || true
    fi
    rm -rf "${work:-}"
}

# Waits for a child and forgets it. A signal is heeded while this waits.
finish() {
    local pid=$1 status=0 others=() child
    wait "$pid" || status=$?
    for child in "${children[@]}"; do
        [ "$child" = "$pid" ] || others+=("$child")
    done
    children=("${others[@]}")
    return $status
}

# Runs a command as a child, so that a signal need not wait for its end.
run() {
    "$@" &
    children+=($!)
    finish $!
}

# The connection.

# One connection, which stays open; tunnels and commands go over it without another login.
connect() {
    say "connecting to $source_host"
    ssh -N -T -M -S "$control" -E "$work/log" "${ssh_arguments[@]}" \
        -o ControlPersist=no -o ClearAllForwardings=yes -o ForwardAgent=no -o ForwardX11=no \
        -o PermitLocalCommand=no -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 \
        -- "$source_host" &
    local pid=$!
    children+=("$pid")
    # Its socket is there as soon as the login has succeeded.
    until [ -S "$control" ]; do
        if ! kill -0 "$pid" 2>/dev/null; then
            finish "$pid" || true
            fail_with_log "ssh cannot connect to $source_host"
        fi
        sleep 0.1
    done
}

fail_with_log() {
    tail -n 5 "$work/log" >&2 2>/dev/null || true
    fail "$1"
}

# Opens a tunnel to an address on the source's side; here it is 127.0.0.1:$port. Another program may
# be faster to take a port that was free.
open_tunnel() {
    for _ in 1 2 3 4 5; do
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        if "${session[@]}" -O forward -L "127.0.0.1:$port:$1" -- "$source_host" 2>>"$work/log"; then
            return
        fi
    done
    return 1
}

# What the server behind the tunnel is in its replica set, and on further lines who else is in it.
ask_server() {
    "$tools/mongo-secondary.py" "$port" 2>>"$work/log"
}

# Finds the server to read from: a secondary if the one that was named is none and has one.
find_server() {
    server=$mongo_host:$mongo_port
    if [[ $mongo_host == *:* ]]; then
        server=[$mongo_host]:$mongo_port
    fi
    local answer state set others member named_port
    if ! open_tunnel "$server" || ! answer=$(ask_server); then
        # mongodump may reach what a tunnel does not.
        if [ -n "$with_mongodump" ]; then
            server_state='not asked'
            return
        fi
        fail_with_log "no MongoDB answers at $server, seen from $source_host (see --mongo-host, --port, --with-mongodump)"
    fi
    read -r state set <<<"$answer"
    server_state=$state
    case $state in
        alone | secondary) return ;;
    esac
    named_port=$port
    mapfile -t others < <(tail -n +2 <<<"$answer")
    for member in "${others[@]}"; do
        if open_tunnel "$member" && answer=$(ask_server) && [ "${answer%%$'\n'*}" = "secondary $set" ]; then
            server=$member server_state=secondary
            return
        fi
    done
    port=$named_port
}

# The copy. It has the layout of mongodump, and so restores in the same way wherever it is from.

exclude_ignored() {
    excluded=()
    local collection
    for collection in "${ignored[@]}"; do
        excluded+=("$1" "$collection")
    done
}

percent_encode() {
    python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.stdin.buffer.read(), safe=""))'
}

source_url() {
    local credentials=''
    if [ -n "$user" ]; then
        credentials=$(printf %s "$user" | percent_encode):$(printf %s "$password" | percent_encode)@
    fi
    # The other members of a set are out of reach from here.
    echo "mongodb://${credentials}127.0.0.1:$port/$database?directConnection=true${auth_database:+&authSource=$auth_database}"
}

export_through_tunnel() {
    exclude_ignored --exclude
    local url
    url=$(source_url)
    BACKDROP_DATABASE_URL=$url BACKDROP_READ_PREFERENCE=secondaryPreferred \
        run "$write_program" export "$work/dump" --db "$database" --gzip "${excluded[@]}" || fail_with_log "the export failed"
}

# What runs on the source: a folder of its own, mongodump, and tar to bring the folder here. The
# password comes over standard input. The folder goes when this ends, and this ends when standard
# input does, which is when the connection is closed or lost. It has no single quotes, being in them.
# shellcheck disable=SC2016
remote_script='
for tool in mongodump tar; do
    command -v $tool >/dev/null || {
        echo "$tool is missing on the source: apt-get install $tool there (mongodump: mongodb-database-tools," \
            "from MongoDB), or do without --with-mongodump" >&2
        exit 1
    }
done
umask 077
exec 3<&0
IFS= read -r password <&3 || exit 1
folder= watch= work=
clean_up() {
    trap "" HUP INT TERM PIPE
    kill $work $watch 2>/dev/null
    [ -z "$work" ] || wait $work 2>/dev/null
    [ -z "$folder" ] || rm -rf "$folder"
}
trap clean_up EXIT
trap "exit 1" HUP INT TERM PIPE
folder=$(mktemp -d "${TMPDIR:-/tmp}/replicate-db.XXXXXX") || exit 1
{ cat >/dev/null; kill -s HUP $$; } <&3 >/dev/null 2>&1 3<&- &
watch=$!
if [ -n "$password" ]; then
    printf "password: %s\n" "$password" | mongodump --config=/dev/stdin --out="$folder" "$@" >&2 3<&- &
else
    mongodump --out="$folder" "$@" </dev/null >&2 3<&- &
fi
work=$!
wait $work || exit 1
tar -cf - -C "$folder" . 3<&- &
work=$!
wait $work || exit 1
work=
'

dump_on_source() {
    exclude_ignored --excludeCollection
    local arguments=(--host="${server%:*}" --port="${server##*:}" --db="$database" --gzip
        --readPreference=secondaryPreferred "${excluded[@]}") line='' tar_pid ssh_pid
    if [ -n "$user" ]; then
        arguments+=(--username="$user" --authenticationDatabase="${auth_database:-$database}")
        # As YAML has it.
        line="'${password//\'/\'\'}'"
    fi
    mkfifo "$work/input" "$work/tar"
    mkdir "$work/dump"
    tar -xvof - -C "$work/dump" <"$work/tar" >&2 &
    tar_pid=$!
    children+=("$tar_pid")
    "${session[@]}" -- "$source_host" "sh -c '$remote_script' replicate-db ${arguments[*]@Q}" <"$work/input" >"$work/tar" &
    ssh_pid=$!
    children+=("$ssh_pid")
    # Open until the other side is done: its end is the signal to stop.
    exec 4>"$work/input"
    # A source that has given up already is told apart by its exit code, not by a broken pipe.
    (trap '' PIPE && printf '%s\n' "$line" >&4) 2>/dev/null || true
    local status=0
    finish "$ssh_pid" || status=1
    exec 4>&-
    finish "$tar_pid" || status=1
    [ $status = 0 ] || fail_with_log "mongodump on the source failed"
}

check_copy() {
    compgen -G "$work/dump/*/*.bson*" >/dev/null ||
        fail "there is nothing to copy: $server on the source has no database '$database', or it is empty"
}

# The restore.

print_plan() {
    local how='read through a tunnel'
    if [ -n "$with_mongodump" ]; then
        how='mongodump there'
    fi
    cat >&2 <<PLAN

from      $source_host, MongoDB at $server ($server_state), database $database; $how
to        $(target_without_credentials)
ignored   ${ignored[*]}
replaced  every collection of the target that the source has too${dry_run:+ (not now: --dry-run)}

PLAN
}

ask() {
    if [ -n "$yes$dry_run" ]; then
        return
    fi
    local answer=''
    read -r -p "Overwrite $(target_without_credentials)? [y/N] " answer || true
    case $answer in
        y | Y | yes) ;;
        *) fail "nothing was changed" ;;
    esac
}

restore() {
    exclude_ignored --exclude
    if [ -z "$dry_run" ]; then
        restoring=1
    fi
    BACKDROP_DATABASE_URL=$target \
        run "$write_program" restore "$work/dump" --db "$database" --drop ${dry_run:+--dry-run} "${excluded[@]}" ||
        fail "the restore failed"
    restoring=''
}

main() {
    parse_arguments "$@"
    check_tools
    make_work_folder
    find_write_program
    connect
    find_server
    print_plan
    ask
    say "copying from $source_host"
    if [ -n "$with_mongodump" ]; then
        dump_on_source
    else
        export_through_tunnel
    fi
    check_copy
    say "restoring${dry_run:+ (only showing what would be done)}"
    restore
    say "done${dry_run:+; nothing was changed}"
}

main "$@"
