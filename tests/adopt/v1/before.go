// Package v1 is an application on Machinery v1, which finds its broker by URL, and the same one on Machinery v2 with
// own types.
package v1

import (
	"encoding/json"
	"time"

	machinery "github.com/RichardKnop/machinery/v1"
	"github.com/RichardKnop/machinery/v1/config"
	"github.com/RichardKnop/machinery/v1/tasks"
)

type Order struct {
	ID  string `json:"id"`
	Qty int    `json:"qty"`
}

type Quote struct {
	OrderID string `json:"order_id"`
	Cents   int64  `json:"cents"`
}

func price(o Order, cents int64) (Quote, error) {
	return Quote{OrderID: o.ID, Cents: int64(o.Qty) * cents}, nil
}

func newServerOfV1(url string) (*machinery.Server, error) {
	return machinery.NewServer(&config.Config{
		Broker: url, ResultBackend: url, DefaultQueue: "orders", ResultsExpireIn: 3600, NoUnixSignals: true,
	})
}

// Leave leaves a task in the queue that takes and returns a text, and returns its UUID.
func Leave(url, task, text string) (uuid string, err error) {
	server, err := newServerOfV1(url)
	if err != nil {
		return "", err
	}
	result, err := server.SendTask(&tasks.Signature{Name: task, Args: []tasks.Arg{{Type: "string", Value: text}}})
	if err != nil {
		return "", err
	}
	return result.Signature.UUID, nil
}

// Before prices an order on Machinery v1.
func Before(url string, o Order) (Quote, error) {
	server, err := newServerOfV1(url)
	if err != nil {
		return Quote{}, err
	}
	err = server.RegisterTask("orders.price", func(text string, cents int64) (string, error) {
		var o Order
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return "", err
		}
		quote, err := price(o, cents)
		if err != nil {
			return "", err
		}
		reply, err := json.Marshal(quote)
		return string(reply), err
	})
	if err != nil {
		return Quote{}, err
	}
	worker := server.NewWorker("orders", 1)
	ended := make(chan error, 1)
	worker.LaunchAsync(ended)
	defer func() {
		worker.Quit()
		<-ended
	}()
	text, err := json.Marshal(o)
	if err != nil {
		return Quote{}, err
	}
	result, err := server.SendTask(&tasks.Signature{Name: "orders.price", Args: []tasks.Arg{
		{Type: "string", Value: string(text)}, {Type: "int64", Value: int64(250)},
	}})
	if err != nil {
		return Quote{}, err
	}
	values, err := result.Get(5 * time.Millisecond)
	if err != nil {
		return Quote{}, err
	}
	var quote Quote
	err = json.Unmarshal([]byte(values[0].String()), &quote)
	return quote, err
}
