# shellcheck shell=bash
# The part of scripts/setup --bench: the other ways to find anomalies, which scripts/bench compares with ours, in an
# environment of their own. scripts/setup reads this file and provides say, quietly, fingerprint, find_uv and
# fresh_venv, and $root and $uv.
# shellcheck disable=SC2154

peers=('scikit-learn>=1.5' 'statsmodels>=0.14' 'pyod>=2' 'prophet>=1.1')

peers_key() { fingerprint scripts/setup-bench.sh; }
peers_ready() { [[ -x .venv-bench/bin/python && -f .venv-bench/.complete && $(<.venv-bench/.complete) == "$(peers_key)" ]]; }
make_peers() {
  local venv=$root/.venv-bench limits
  limits=$root/.venv/lib/python3.14/site-packages/homeassistant/package_constraints.txt
  find_uv || return
  fresh_venv "$venv" || return
  say "installing ${peers[*]} into .venv-bench"
  quietly "$uv" pip install --quiet --python "$venv/bin/python" -c "$limits" numpy pandas "${peers[@]}" || return
  peers_key >"$venv/.complete"
}
