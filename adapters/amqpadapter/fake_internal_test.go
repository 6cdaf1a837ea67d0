package amqpadapter

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// A method is the class and the number of an AMQP method.
type method struct{ class, number uint16 }

var (
	connectionStart   = method{10, 10}
	connectionStartOK = method{10, 11}
	connectionTune    = method{10, 30}
	connectionOpen    = method{10, 40}
	connectionClose   = method{10, 50}
	connectionBlocked = method{10, 60}
	connectionUnblock = method{10, 61}
	channelOpen       = method{20, 10}
	channelClose      = method{20, 40}
	exchangeDeclare   = method{40, 10}
	queueDeclare      = method{50, 10}
	queueBind         = method{50, 20}
	queueUnbind       = method{50, 50}
	basicQos          = method{60, 10}
	basicConsume      = method{60, 20}
	basicCancel       = method{60, 30}
	basicPublish      = method{60, 40}
	basicGet          = method{60, 70}
	basicGetOK        = method{60, 71}
	basicGetEmpty     = method{60, 72}
	basicAck          = method{60, 80}
	basicNack         = method{60, 120}
	confirmSelect     = method{85, 10}
)

// A fakeRabbitMQ answers what a worker without tasks asks, and needs no network, so that a test can have its own clock. It
// confirms what is published, but what goes to "silent", of which it says nothing, to "full", which it refuses, and to
// "gone" and "refused", for which it closes the channel.
type fakeRabbitMQ struct {
	mu      sync.Mutex
	conn    net.Conn // the latest
	ignored []method
	late    []func() // answers
	// queued are the messages of each queue, slow is how long it takes to hand one out, and handed how many were.
	queued [][]byte
	slow   time.Duration
	handed uint64
	// published counts the messages of each channel, and sent those under each routing key.
	published map[uint16]uint64
	sent      map[string]int
	// closed counts the channels that were closed.
	closed int
	// ends are what ends a connection instead of an answer.
	ends map[method]func(net.Conn)
}

// connect opens a connection.
func (f *fakeRabbitMQ) connect(t *testing.T) *connection {
	near, far := net.Pipe()
	go f.serve(far)
	socket := newWriteBuffer(near)
	opened, err := amqp.Open(socket, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{}}, Vhost: "/", Locale: "en_US"})
	require.NoError(t, err)
	return &connection{opened, socket}
}

// listen returns the URL of a port where it serves until the test has ended.
func (f *fakeRabbitMQ) listen(t *testing.T) (url string) {
	return listen(t, f.serve)
}

// listen returns the URL of a port where connections are served until the test has ended.
func listen(t *testing.T, serve func(net.Conn)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go serve(conn)
		}
	}()
	return "amqp://guest:guest@" + listener.Addr().String()
}

// alarm has it say that it takes no messages, or without a reason that it takes them again.
func (f *fakeRabbitMQ) alarm(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if reason == "" {
		send(f.conn, 0, connectionUnblock, nil)
		return
	}
	send(f.conn, 0, connectionBlocked, append([]byte{byte(len(reason))}, reason...))
}

// ignore has it answer some methods no more, until it recovers.
func (f *fakeRabbitMQ) ignore(methods ...method) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ignored = methods
}

// endAt has a method end its connection, once.
func (f *fakeRabbitMQ) endAt(m method, end func(net.Conn)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = map[method]func(net.Conn){m: end}
}

// recover has it answer everything, also what it has ignored.
func (f *fakeRabbitMQ) recover() {
	f.mu.Lock()
	late := f.late
	f.ignored, f.late = nil, nil
	f.mu.Unlock()
	for _, answer := range late {
		answer()
	}
}

// ignores reports whether a method has to wait for its answer.
func (f *fakeRabbitMQ) ignores(m method, answer func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.ignored, m) {
		return false
	}
	f.late = append(f.late, answer)
	return true
}

// serve ends with the connection.
func (f *fakeRabbitMQ) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	f.mu.Lock()
	f.conn = conn
	f.mu.Unlock()
	in := bufio.NewReader(conn)
	if _, err := in.Discard(len("AMQP0091")); err != nil {
		return
	}
	send(conn, 0, connectionStart, []byte("\x00\x09\x00\x00\x00\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US"))
	for {
		var header struct {
			Kind    byte
			Channel uint16
			Size    uint32
		}
		if binary.Read(in, binary.BigEndian, &header) != nil {
			return
		}
		frame := make([]byte, header.Size+1)
		if _, err := io.ReadFull(in, frame); err != nil {
			return
		}
		const methodFrame = 1
		if header.Kind == methodFrame {
			m := method{binary.BigEndian.Uint16(frame), binary.BigEndian.Uint16(frame[2:])}
			f.answer(conn, header.Channel, m, frame[4:])
		}
	}
}

func (f *fakeRabbitMQ) answer(conn net.Conn, channel uint16, m method, arguments []byte) {
	if f.ignores(m, func() { f.answer(conn, channel, m, arguments) }) {
		return
	}
	if end := f.takeEnd(m); end != nil {
		end(conn)
		return
	}
	answer := method{m.class, m.number + 1}
	switch m {
	case connectionStartOK:
		send(conn, channel, connectionTune, make([]byte, 8)) // no limits, and no heartbeats
	case connectionOpen:
		send(conn, channel, answer, make([]byte, 1))
	case channelOpen:
		send(conn, channel, answer, make([]byte, 4))
	case queueDeclare:
		queue := shortString(arguments[2:])
		send(conn, channel, answer, append(binary.BigEndian.AppendUint32(queue, f.waiting()), make([]byte, 4)...))
	case basicConsume:
		queue := shortString(arguments[2:])
		send(conn, channel, answer, shortString(arguments[2+len(queue):]))
	case basicCancel:
		send(conn, channel, answer, shortString(arguments))
	case basicPublish:
		f.publish(conn, channel, arguments)
	case basicGet:
		f.get(conn, channel)
	case channelClose:
		f.mu.Lock()
		f.closed++
		f.mu.Unlock()
		send(conn, channel, answer, nil)
	case connectionClose, exchangeDeclare, queueBind, queueUnbind, basicQos, confirmSelect:
		send(conn, channel, answer, nil)
	}
}

func (f *fakeRabbitMQ) publish(conn net.Conn, channel uint16, arguments []byte) {
	exchange := shortString(arguments[2:])
	key := string(shortString(arguments[2+len(exchange):])[1:])
	tag := binary.BigEndian.AppendUint64(nil, f.count(channel, key))
	switch key {
	case "silent":
	case "full":
		send(conn, channel, basicNack, append(tag, 0))
	case "gone":
		send(conn, channel, channelClose, reasonWithCode(amqp.NotFound))
	case "refused":
		send(conn, channel, channelClose, reasonWithCode(amqp.PreconditionFailed))
	default:
		send(conn, channel, basicAck, append(tag, 0))
	}
}

// reasonWithCode is what a channel or a connection is closed with.
func reasonWithCode(code uint16) []byte {
	return append(binary.BigEndian.AppendUint16(nil, code), make([]byte, 5)...)
}

func (f *fakeRabbitMQ) takeEnd(m method) func(net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := f.ends[m]
	delete(f.ends, m)
	return end
}

// count returns the number of a message on its channel.
func (f *fakeRabbitMQ) count(channel uint16, key string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.published == nil {
		f.published, f.sent = make(map[uint16]uint64), make(map[string]int)
	}
	f.published[channel]++
	f.sent[key]++
	return f.published[channel]
}

func (f *fakeRabbitMQ) waiting() uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return uint32(len(f.queued))
}

func (f *fakeRabbitMQ) get(conn net.Conn, channel uint16) {
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queued) == 0 {
		send(conn, channel, basicGetEmpty, make([]byte, 1))
		return
	}
	body := f.queued[0]
	f.queued = f.queued[1:]
	f.handed++
	tag := binary.BigEndian.AppendUint64(nil, f.handed)
	send(conn, channel, basicGetOK, append(tag, make([]byte, 1+1+1+4)...))
	header := binary.BigEndian.AppendUint64([]byte{0, 60, 0, 0}, uint64(len(body)))
	sendFrame(conn, 2, channel, append(header, 0, 0)) // without properties
	sendFrame(conn, 3, channel, body)
}

// counts returns how many messages were sent under a routing key, and how many channels were closed.
func (f *fakeRabbitMQ) counts(key string) (sent, closed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent[key], f.closed
}

// shortString returns the string that is first among arguments, with its length.
func shortString(arguments []byte) []byte { return arguments[: 1+arguments[0] : 1+arguments[0]] }

func send(conn net.Conn, channel uint16, m method, arguments []byte) {
	payload := binary.BigEndian.AppendUint16(nil, m.class)
	payload = binary.BigEndian.AppendUint16(payload, m.number)
	sendFrame(conn, 1, channel, append(payload, arguments...))
}

func sendFrame(conn net.Conn, kind byte, channel uint16, payload []byte) {
	frame := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(payload)))
	frame = append(append(frame, payload...), 0xce)
	_, _ = conn.Write(frame) // the connection may have been closed
}
