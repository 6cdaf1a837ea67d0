package services

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestQueuesOfTheQuorumHostAreQuorumQueues(t *testing.T) {
	connection, err := amqp.Dial(QuorumAMQP(t))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for queueType, same := range map[string]bool{"quorum": true, "classic": false} {
		channel, err := connection.Channel()
		if err != nil {
			t.Fatal(err)
		}
		name := "test-queue-type-" + queueType
		if _, err := channel.QueueDeclare(name, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		arguments := amqp.Table{amqp.QueueTypeArg: queueType}
		_, err = channel.QueueDeclare(name, true, false, false, false, arguments)
		if same != (err == nil) {
			t.Errorf("declared again as %s: %v", queueType, err)
		}
		remove(t, connection, name)
	}
}

// remove deletes a queue on a channel of its own: the test's may have been closed by an error.
func remove(t *testing.T, connection *amqp.Connection, queue string) {
	t.Helper()
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
}

func TestWithServersLeavesNothingBehind(t *testing.T) {
	for _, program := range []string{"redis-server", "rabbitmq-server"} {
		Program(t, program)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			temporary := t.TempDir()
			command := exec.Command("../with-servers", "--start", "sh", "-c", `echo "$REDIS_URL $AMQP_URL"; exec sleep 600`)
			command.Env = append(os.Environ(), "TMPDIR="+temporary)
			output, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(output).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait()

			ctx, cancel := context.WithTimeout(t.Context(), start)
			defer cancel()
			if err := await(ctx, func() error { return isGone(temporary, strings.Fields(line)) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// isGone tells what is left of the servers and of their files.
func isGone(dir string, servers []string) error {
	for _, server := range servers {
		address, err := url.Parse(server)
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", address.Host)
		if err == nil {
			conn.Close()
			return errors.New(server + " still listens")
		}
	}
	files, err := os.ReadDir(dir)
	if len(files) > 0 {
		return fmt.Errorf("files are left: %v", files)
	}
	return err
}
