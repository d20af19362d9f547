//go:build unix

package sdk

import (
	"os"

	"golang.org/x/sys/unix"
)

// divertStdout sends what is written to standard output, by whatever means, to standard error, from where the agent takes
// the log. The returned function gives os.Stdout back for the one line that go-plugin prints; go-plugin then puts its own
// pipe there.
func divertStdout() (restore func()) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return func() {}
	}
	if err := unix.Dup2(2, 1); err != nil {
		_ = unix.Close(fd)
		return func() {}
	}
	return func() { os.Stdout = os.NewFile(uintptr(fd), "handshake") }
}

// lifeline opens the inherited descriptor and keeps it from programs that the plugin starts.
func lifeline(fd int) *os.File {
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "lifeline")
}
