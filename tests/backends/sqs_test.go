package backends_test

import (
	"crypto/md5"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	brokersiface "github.com/RichardKnop/machinery/v2/brokers/iface"
	sqsbroker "github.com/RichardKnop/machinery/v2/brokers/sqs"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func openSQS(t *testing.T, cnf *config.Config) func() brokersiface.Broker {
	return newSimpleQueues().open(t, cnf)
}

// open serves the queues, and returns a function that makes brokers on them.
func (q *simpleQueues) open(t *testing.T, cnf *config.Config) func() brokersiface.Broker {
	settings, address := serveAWS(t, map[string]action{
		"SendMessage":    handling(q.send),
		"ReceiveMessage": handling(q.receive),
		"DeleteMessage":  handling(q.delete),
	})
	cnf.Broker = address
	cnf.SQS = &config.SQSConfig{Client: sqs.NewFromConfig(settings), WaitTimeSeconds: 1}
	return func() brokersiface.Broker {
		broker, err := sqsbroker.New(cnf)
		require.NoError(t, err)
		return broker
	}
}

// simpleQueues is as much of SQS as Machinery uses. Queues are there when they are named.
type simpleQueues struct {
	mu      sync.Mutex
	queues  map[string][]*message // by URL
	changed chan struct{}         // closed, and another one made, when something was sent
}

// A message is hidden from receivers until a time: for its delay, and for the visibility timeout once it was received.
type message struct {
	id, receipt, body string
	hiddenUntil       time.Time
}

// visibilityTimeout is what SQS has by default.
const visibilityTimeout = 30 * time.Second

func newSimpleQueues() *simpleQueues {
	return &simpleQueues{queues: make(map[string][]*message), changed: make(chan struct{})}
}

// bodies are those of the messages in a queue.
func (q *simpleQueues) bodies(queue string) (bodies []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.queues[queue] {
		bodies = append(bodies, m.body)
	}
	return bodies
}

func (q *simpleQueues) send(in sqs.SendMessageInput) sqs.SendMessageOutput {
	m := &message{id: uuid.NewString(), body: *in.MessageBody, hiddenUntil: time.Now().Add(seconds(in.DelaySeconds))}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queues[*in.QueueUrl] = append(q.queues[*in.QueueUrl], m)
	close(q.changed)
	q.changed = make(chan struct{})
	return sqs.SendMessageOutput{MessageId: &m.id, MD5OfMessageBody: checksum(m.body)}
}

func (q *simpleQueues) receive(in sqs.ReceiveMessageInput) map[string][]types.Message {
	giveUp := time.After(seconds(in.WaitTimeSeconds))
	for {
		m, next, changed := q.take(*in.QueueUrl)
		if m != nil {
			received := types.Message{MessageId: &m.id, ReceiptHandle: &m.receipt, Body: &m.body, MD5OfBody: checksum(m.body)}
			return map[string][]types.Message{"Messages": {received}}
		}
		select {
		case <-changed:
		case <-time.After(time.Until(next)):
		case <-giveUp:
			return nil
		}
	}
}

// take returns a copy of the first message that is not hidden; else when to look again, and what is closed if that is
// earlier.
func (q *simpleQueues) take(queue string) (taken *message, next time.Time, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	next = now.Add(visibilityTimeout)
	for _, m := range q.queues[queue] {
		if !m.hiddenUntil.After(now) {
			m.receipt, m.hiddenUntil = uuid.NewString(), now.Add(visibilityTimeout)
			copied := *m
			return &copied, next, nil
		}
		if m.hiddenUntil.Before(next) {
			next = m.hiddenUntil
		}
	}
	return nil, next, q.changed
}

func (q *simpleQueues) delete(in sqs.DeleteMessageInput) struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, m := range q.queues[*in.QueueUrl] {
		if m.receipt == *in.ReceiptHandle {
			q.queues[*in.QueueUrl] = append(q.queues[*in.QueueUrl][:i:i], q.queues[*in.QueueUrl][i+1:]...)
			break
		}
	}
	return struct{}{}
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func checksum(body string) *string {
	sum := md5.Sum([]byte(body))
	return aws.String(hex.EncodeToString(sum[:]))
}
