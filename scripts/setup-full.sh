# shellcheck shell=bash
# The parts of scripts/setup --live and --full; scripts/setup reads this file and provides say, quietly, fingerprint,
# find_uv and fresh_venv, and $root, $tools, $log and $uv. Each part has <part>_ready, which is quick, and make_<part>.
# shellcheck disable=SC2154

live_version=2026.11.0

# Two audio libraries that Home Assistant's voice pipeline pins have no wheel for this Python. They are compiled where
# there is a compiler; elsewhere an empty stand-in takes their place: nothing here listens to a microphone, but the
# frontend stays blank while a module of the pipeline cannot be imported.
audio=(pymicro-vad pyspeex-noise)

# ---------------------------------------------------------------------------------------------------- live
live_key() { fingerprint scripts/setup-full.sh scripts/live_requirements.py custom_components/strata/manifest.json; }
live_ready() {
  [[ -x .venv-live/bin/python && -f .venv-live/.complete && $(<.venv-live/.complete) == "$(live_key)" ]]
}
make_live() {
  local venv=$root/.venv-live site install requirements missing
  find_uv || return
  fresh_venv "$venv" || return
  site=$venv/lib/python3.14/site-packages
  install=("$uv" pip install --quiet --python "$venv/bin/python")
  say "installing Home Assistant $live_version with its frontend into .venv-live"
  quietly "${install[@]}" "homeassistant==$live_version" || return
  install+=(-c "$site/homeassistant/package_constraints.txt")
  requirements=$tools/live_requirements.txt
  "$venv/bin/python" scripts/live_requirements.py >"$requirements" || return
  quietly "${install[@]}" -r <(grep -vE "^($(IFS='|'; echo "${audio[*]}"))==" "$requirements") || return
  make_audio "$site" "$requirements" || return
  missing=$("$venv/bin/python" scripts/live_requirements.py --missing) || return
  if [[ -n $missing ]]; then
    say "still missing in .venv-live: ${missing//$'\n'/, }"
    return 1
  fi
  live_key >"$venv/.complete"
}

make_audio() {
  local site=$1 requirements=$2 wanted headers
  mapfile -t wanted < <(grep -E "^($(IFS='|'; echo "${audio[*]}"))==" "$requirements")
  [[ ${#wanted[@]} -gt 0 ]] || return 0
  # An unpacked Debian Python has its headers beside it, where a compiler does not look by itself.
  headers=$("$root/.venv-live/bin/python" -c 'import sysconfig; p = sysconfig.get_path("include"); print(f"{p}:{p}/..")')
  if CPATH=$headers "$uv" pip install --quiet --python "$root/.venv-live/bin/python" "${wanted[@]}" >"$log" 2>&1; then
    return 0
  fi
  say "cannot compile ${audio[*]}, using stand-ins"
  stand_in "$site" "$requirements" pymicro-vad MicroVad && stand_in "$site" "$requirements" pyspeex-noise AudioProcessor
}

# stand_in SITE REQUIREMENTS PACKAGE CLASS
stand_in() {
  local site=$1 module=${3//-/_} version
  version=$(sed -n "s/^$3==//p" "$2")
  [[ -n $version ]] || return 0
  mkdir -p "$site/$module" "$site/$module-$version.dist-info"
  cat >"$site/$module/__init__.py" <<MODULE
"""Stands in for $3, which could not be compiled on this machine."""


class $4:
    """Refuses to work."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Say why."""
        raise RuntimeError("$3 could not be compiled on this machine")
MODULE
  printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n' "$3" "$version" >"$site/$module-$version.dist-info/METADATA"
  echo scripts/setup >"$site/$module-$version.dist-info/INSTALLER"
}

# ---------------------------------------------------------------------------------------------------- browser
# Playwright drives it; it lives in .venv, so a new .venv asks for it again.
browser_ready() { [[ -x $tools/chromium && -f .venv/.browser && $(<.venv/.browser) == "$(fingerprint scripts/setup-full.sh)" ]]; }
make_browser() {
  local chromium
  find_uv || return
  quietly "$uv" pip install --quiet --python .venv/bin/python playwright || return
  find_chromium || return
  ln -sfn "$chromium" "$tools/chromium" || return
  say "trying $chromium"
  quietly .venv/bin/python - "$tools/chromium" <<'PYTHON' || return
import sys
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox", "--disable-gpu"])
    page = browser.new_page()
    page.set_content("<title>ready</title>")
    assert page.title() == "ready"
    browser.close()
PYTHON
  fingerprint scripts/setup-full.sh >.venv/.browser
}

# Sets $chromium: the one on PATH, Debian's installed by root, or the one Playwright fetches.
find_chromium() {
  local name apt
  for name in chromium chromium-browser google-chrome; do
    chromium=$(command -v "$name") && return 0
  done
  if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    say "installing Debian's chromium"
    apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    if ! "${apt[@]}" install --yes --no-install-recommends chromium fonts-dejavu-core >"$log" 2>&1 </dev/null; then
      quietly "${apt[@]}" update &&
        quietly "${apt[@]}" install --yes --no-install-recommends chromium fonts-dejavu-core || true
    fi
    chromium=$(command -v chromium) && return 0
  fi
  say "fetching Chromium with Playwright"
  if PLAYWRIGHT_BROWSERS_PATH=$tools/browsers timeout 600 .venv/bin/python -m playwright install chromium >"$log" 2>&1; then
    chromium=$(find "$tools/browsers" -type f -name chrome -perm -u+x | head -n 1)
    [[ -n $chromium ]] && return 0
  fi
  say "Chromium could not be had. Install it (as root: apt-get install chromium fonts-dejavu-core) and run this again."
  return 1
}

# ---------------------------------------------------------------------------------------------------- servers
# InfluxDB 1.6 and VictoriaMetrics 1.79: both left Debian later, so the release is named.
servers_ready() { [[ -f $tools/servers/.complete && $(<"$tools/servers/.complete") == "$(fingerprint scripts/setup-full.sh)" ]]; }
make_servers() {
  local folder=$tools/servers
  say "unpacking InfluxDB and VictoriaMetrics"
  rm -rf "$folder"
  if ! command -v apt-get >/dev/null || ! quietly scripts/unpack-debian.sh bookworm "$folder" influxdb victoria-metrics; then
    say "InfluxDB and VictoriaMetrics could not be had: they come from Debian packages and need apt-get and dpkg."
    return 1
  fi
  quietly "$folder/usr/bin/influxd" version || return
  quietly "$folder/usr/bin/victoria-metrics" --version || return
  fingerprint scripts/setup-full.sh >"$folder/.complete"
}

# ---------------------------------------------------------------------------------------------------- spark
# PySpark in an environment of its own, and the Java that it runs on: 17 or later.
spark_ready() { [[ -x $tools/spark/bin/python && -f $tools/spark/.complete && $(<"$tools/spark/.complete") == "$(fingerprint scripts/setup-full.sh)" ]]; }
make_spark() {
  local folder=$tools/spark
  find_uv || return
  find_java || return
  say "installing PySpark into .tools/spark"
  fresh_venv "$folder" || return
  quietly "$uv" pip install --quiet --python "$folder/bin/python" 'pyspark>=4' || return
  quietly "$folder/bin/python" -c 'from pyspark.sql import SparkSession
session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
assert session.range(3).count() == 3
session.stop()' || return
  fingerprint scripts/setup-full.sh >"$folder/.complete"
}

find_java() {
  local apt
  recent_java && return 0
  if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    say "installing Debian's Java runtime"
    apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    if ! "${apt[@]}" install --yes --no-install-recommends default-jre-headless >"$log" 2>&1 </dev/null; then
      quietly "${apt[@]}" update &&
        quietly "${apt[@]}" install --yes --no-install-recommends default-jre-headless || true
    fi
    recent_java && return 0
  fi
  say "Spark needs Java 17 or later. Install it (as root: apt-get install default-jre-headless) and run this again."
  return 1
}

recent_java() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
  [[ $version =~ ^[0-9]+$ && $version -ge 17 ]]
}
