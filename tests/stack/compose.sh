#!/bin/sh
# Prints the command of docker-compose 2.26 or newer. Where the machine has none, Debian trixie's
# package is fetched into the folder named, and not installed.
set -eu
folder=$1
for command in "docker compose" docker-compose; do
    version=$($command version --short 2>/dev/null) || continue
    if [ "$(printf '2.26\n%s\n' "${version#v}" | sort -V | head -n 1)" = 2.26 ]; then
        echo "$command"
        exit 0
    fi
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if ! command -v apt-get >/dev/null || [ ! -e "$keyring" ]; then
    echo "docker-compose 2.26 is missing; install it from https://docs.docker.com/compose/" >&2
    exit 1
fi
cd "$folder"
mkdir -p lists/partial cache/archives/partial
echo "deb [signed-by=$keyring] http://deb.debian.org/debian trixie main" >sources.list
cat >apt.conf <<CONF
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$folder/lists";
Dir::State::status "/dev/null";
Dir::Cache "$folder/cache";
Acquire::Languages "none";
CONF
export APT_CONFIG="$folder/apt.conf"
{
    apt-get -qq update
    apt-get -qq -o APT::Sandbox::User=root download docker-compose
    dpkg-deb -x docker-compose_*.deb unpacked
} >apt.log 2>&1 || {
    echo "docker-compose could not be fetched: $(tail -n 1 apt.log)" >&2
    exit 1
}
echo "$folder/unpacked/usr/libexec/docker/cli-plugins/docker-compose"
