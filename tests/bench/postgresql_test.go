package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/machinery-envelope/machinery-envelope/tests/services"
)

// postgreSQLSettings make it keep as little over a crash as a Redis without persistence does: of two servers the one that
// is compared with is to have the better of it.
const postgreSQLSettings = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"

// postgreSQLGuard runs a PostgreSQL for as long as its own input is open, then ends it and removes its files. The input
// is a pipe that closes when the test binary ends, whatever ends it. $1 is where the programs are, $2 the port.
const postgreSQLGuard = `
trap '' INT TERM HUP
"$1/initdb" --pgdata=data --auth=trust --username=bench --encoding=UTF8 --no-locale --no-sync >log 2>&1
"$1/postgres" -D data -p "$2" -k '' -c listen_addresses=127.0.0.1 ` + postgreSQLSettings + ` >>log 2>&1 &
server=$!
read -r _
kill -QUIT $server
wait
rm -rf "$PWD"
`

// postgreSQL is a server of this process' own.
type postgreSQL struct {
	url   string
	pid   int
	input io.Closer // never closed, but by the end of the process
}

var (
	errNoPostgreSQL = errors.New("no PostgreSQL found, neither in PATH nor in /usr/lib/postgresql")
	startedOnce     = sync.OnceValues(startPostgreSQL)
)

// needPostgreSQL skips the benchmark where there is none.
func needPostgreSQL(b *testing.B) *postgreSQL {
	b.Helper()
	server, err := startedOnce()
	if errors.Is(err, errNoPostgreSQL) {
		services.Missing(b, "%v", err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return server
}

// postgreSQLPrograms is the directory of postgres and initdb, which Debian has in no PATH.
func postgreSQLPrograms() (string, error) {
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if found, err := exec.LookPath("postgres"); err == nil {
		candidates = append(candidates, found)
	}
	for _, program := range slices.Backward(candidates) {
		program, err := filepath.EvalSymlinks(program)
		if err != nil {
			continue
		}
		dir := filepath.Dir(program)
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errNoPostgreSQL
}

func startPostgreSQL() (*postgreSQL, error) {
	programs, err := postgreSQLPrograms()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "machinery-envelope-postgresql-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	command := exec.Command("sh", "-c", postgreSQLGuard, "guard", programs, strconv.Itoa(port))
	command.Dir = dir
	if err := leaveRoot(command); err != nil {
		return nil, err
	}
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &postgreSQL{url: fmt.Sprintf("postgres://bench@127.0.0.1:%d/postgres?sslmode=disable", port), input: input}
	if err := p.awaitAnswer(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		_ = input.Close()
		return nil, fmt.Errorf("postgresql: %w; its log: %s", err, log)
	}
	p.pid, err = firstLine(filepath.Join(dir, "data", "postmaster.pid"))
	return p, err
}

// leaveRoot has a command run as somebody else than root, whom PostgreSQL refuses, and gives the directory to him.
func leaveRoot(command *exec.Cmd) error {
	if os.Geteuid() != 0 {
		return nil
	}
	somebody, err := user.Lookup("postgres")
	if err != nil {
		somebody, err = user.Lookup("nobody")
	}
	if err != nil {
		return err
	}
	uid, errUID := strconv.Atoi(somebody.Uid)
	gid, errGID := strconv.Atoi(somebody.Gid)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return errors.Join(errUID, errGID, os.Chown(command.Dir, uid, gid))
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func firstLine(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(line)
}

// awaitAnswer returns when the server has answered, or an error after a minute.
func (p *postgreSQL) awaitAnswer() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, err := p.version(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *postgreSQL) version(ctx context.Context) (version string, err error) {
	connection, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return "", err
	}
	defer connection.Close(ctx)
	err = connection.QueryRow(ctx, "SHOW server_version").Scan(&version)
	return version, err
}

// clockTick is the unit of /proc/PID/stat, which is the same on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpu is the time that all processes of the server have computed, those that have ended too.
func (p *postgreSQL) cpu(b *testing.B) time.Duration {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		services.Missing(b, "no /proc, from which to learn what PostgreSQL computes")
	}
	var ticks int
	for _, file := range files {
		ticks += p.ticksIn(file)
	}
	return time.Duration(ticks) * clockTick
}

// ticksIn is 0 for a process that is not of the server, or has gone.
func (p *postgreSQL) ticksIn(file string) (ticks int) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, rest, _ := strings.Cut(string(text), " ")
	// Past the name, which may hold anything, stand the state, the parent and, from the 12th on, the times of the
	// process in user and kernel mode and those of its children that have ended.
	fields := strings.Fields(rest[strings.LastIndex(rest, ")")+1:])
	server := strconv.Itoa(p.pid)
	if pid != server && fields[1] != server {
		return 0
	}
	for _, field := range fields[11:15] {
		n, _ := strconv.Atoi(field)
		ticks += n
	}
	return ticks
}
