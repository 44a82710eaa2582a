# Runs "$@" and runs it again on command. $DEVMOUNT_STOP is the signal that stops it; see the package's docstring.
# Descriptors: 3 reads the channel, 4 writes into it (what the parts of this script tell each other goes the same way
# as the host's commands, so one `read` sees all), 5 is the container's standard output.
stop=$1
shift
exec 3<&0 4>/proc/self/fd/0 5>&1 </dev/null
pid= start=1 leaving=

record() { printf '\033_devmount;%s\033\\\n' "$1" >&5; }

# A program started by `&` has SIGINT and SIGQUIT ignored (POSIX, 2.11) and no shell lets it take that back. So nothing
# here is asynchronous: a short-lived shell starts a pipeline and is killed by its first part, which lives on as an
# orphan, waits for the program in the foreground, and reports its status.
launch() {
	[ -z "$pid" ] || send KILL
	pid=starting
	sh -c '
		{
			kill -s PIPE "$$"
			if command -v setsid >/dev/null; then group=setsid; else group=; fi
			(exec $group sh -c "
				echo \"pid \$\$\" >&4
				exec \"\$@\" 3<&- 4>&- 5>&-
			" devmount "$@" >&5 2>&6 6>&-)
			echo "exited $?" >&4
		} | :' devmount "$@" 6>&2 2>/dev/null
}

# To the whole group; to the program alone where it has none.
send() {
	case $pid in '' | starting) return ;; esac
	kill -s "$1" -- "-$pid" 2>/dev/null || kill -s "$1" "$pid" 2>/dev/null
}

running() { [ -n "$pid" ] && [ -z "$over" ]; }

terminate() {
	leaving=$((leaving + 1)) start=
	running || exit 0
	if [ "$leaving" -gt 1 ]; then send KILL; else send "$stop"; fi
}
trap terminate TERM

over=
failures=0
launch "$@"
while :; do
	if ! read -r word argument <&3; then
		# A trapped signal interrupts `read` in some shells; an end of the channel would do so without end.
		failures=$((failures + 1))
		[ "$failures" -lt 1000 ] || sleep 1
		continue
	fi
	failures=0
	case $word in
	pid)
		pid=$argument
		record "started;$pid"
		if [ "$leaving" ]; then send "$stop"; fi
		;;
	exited)
		over=$argument
		record "exited;$argument"
		if [ "$leaving" ]; then exit "$argument"; fi
		if [ "$start" = again ]; then start=1 over= && launch "$@"; fi
		;;
	restart)
		if running; then
			start=again
			send "$argument"
			record "signalled;$argument"
		else
			over= && launch "$@"
		fi
		;;
	start) running || { over= && launch "$@"; } ;;
	stop)
		start=1
		send "$argument"
		record "signalled;$argument"
		;;
	signal)
		if running; then
			kill -s "$argument" "$pid" && record "signalled;$argument"
		fi
		;;
	kill) if [ "$start" = again ]; then send KILL; fi ;;
	status)
		if running; then record "started;$pid"; else record "exited;$over"; fi
		;;
	esac
done
