package envelope_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/machinery-envelope/machinery-envelope/envelope"
	"github.com/machinery-envelope/machinery-envelope/envelope/cborcodec"
)

type Line struct {
	Article string `json:"article"`
	Pieces  int    `json:"pieces"`
}

type Order struct {
	ID    string `json:"id"`
	Lines []Line `json:"lines"`
}

// A type is registered once, under the name that it travels by. What it statically holds needs no registration.
func ExampleRegister() {
	registry := envelope.NewRegistry()
	if err := envelope.Register[Order](registry, "shop.Order"); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	text, err := registry.Marshal(ctx, Order{ID: "o-1", Lines: []Line{{Article: "lamp", Pieces: 3}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)

	var order Order
	if err := registry.Unmarshal(ctx, text, &order); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(order.ID, order.Lines[0].Pieces)
	// Output:
	// {"$envelope":1,"type":"shop.Order","data":{"id":"o-1","lines":[{"article":"lamp","pieces":3}]}}
	// o-1 3
}

// Session is a record of the application's store. It holds things that cannot travel.
type Session struct {
	key   string
	user  string
	store *sessionStore
}

type sessionStore struct{ sessions map[string]*Session }

var errNoSession = errors.New("no such session")

type storeKey struct{}

// load finds the session again, in the store of the program that received its key.
func load(ctx context.Context, key string) (Session, error) {
	store, _ := ctx.Value(storeKey{}).(*sessionStore)
	if store == nil || store.sessions[key] == nil {
		return Session{}, errNoSession
	}
	return *store.sessions[key], nil
}

func keyOf(_ context.Context, s Session) (string, error) { return s.key, nil }

// A record travels as its key, and is loaded again where it arrives.
func ExampleConvert() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Session](registry, "auth.Session", envelope.Convert(keyOf, load))

	text, err := registry.Marshal(context.Background(), Session{key: "s-7", user: "ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)

	receiver := &sessionStore{sessions: map[string]*Session{"s-7": {key: "s-7", user: "ada (loaded)"}}}
	receiver.sessions["s-7"].store = receiver
	ctx := context.WithValue(context.Background(), storeKey{}, receiver)
	var session Session
	if err := registry.Unmarshal(ctx, text, &session); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.user, session.store == receiver)

	err = registry.Unmarshal(context.Background(), text, &session)
	fmt.Println(err)
	// Output:
	// {"$envelope":1,"type":"auth.Session","data":"s-7"}
	// ada (loaded) true
	// auth.Session: no such session
}

type Shape interface{ Area() float64 }

type Circle struct{ Radius float64 }

type Square struct{ Side float64 }

func (c Circle) Area() float64 { return 3 * c.Radius * c.Radius }
func (s Square) Area() float64 { return s.Side * s.Side }

type Drawing struct {
	Title  string
	Shapes []Shape
}

// Fields of an interface type hold any registered type that implements it.
func ExampleRegisterInterface() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Drawing](registry, "shapes.Drawing")
	envelope.MustRegister[Circle](registry, "shapes.Circle")
	envelope.MustRegister[Square](registry, "shapes.Square")
	if err := envelope.RegisterInterface[Shape](registry, "shapes.Shape"); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	text, err := registry.Marshal(ctx, Drawing{Title: "two", Shapes: []Shape{Circle{Radius: 1}, &Square{Side: 2}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	received, err := registry.UnmarshalAny(ctx, text)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, shape := range received.(Drawing).Shapes {
		fmt.Printf("%T %v\n", shape, shape.Area())
	}
	// Output:
	// envelope_test.Circle 3
	// *envelope_test.Square 4
}

// PersonV1 is what persons were in version 1.
type PersonV1 struct{ Name string }

type Person struct{ First, Last string }

func splitNames(_ context.Context, old PersonV1) (Person, error) {
	first, last, _ := strings.Cut(old.Name, " ")
	return Person{First: first, Last: last}, nil
}

// Messages of an older version climb to the current one.
func ExampleUpgrade() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Person](registry, "crm.Person", envelope.Version(2), envelope.Upgrade(1, splitNames))

	old := `{"$envelope":1,"type":"crm.Person","data":{"Name":"Ada Lovelace"}}`
	var person Person
	if err := registry.Unmarshal(context.Background(), old, &person); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(person.Last)

	newer := `{"$envelope":1,"type":"crm.Person","version":3,"data":{}}`
	err := registry.Unmarshal(context.Background(), newer, &person)
	fmt.Println(errors.Is(err, envelope.ErrUnknownVersion))
	// Output:
	// Lovelace
	// true
}

type Reading struct {
	Sensor string
	Values []float32
}

// A type may travel in another format than JSON.
func ExampleUseCodec() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Reading](registry, "lab.Reading", envelope.UseCodec(cborcodec.Codec{}))
	ctx := context.Background()

	text, err := registry.Marshal(ctx, Reading{Sensor: "s-1", Values: []float32{1.5, -2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)

	var reading Reading
	if err := registry.Unmarshal(ctx, text, &reading); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reading.Values)
	// Output:
	// {"$envelope":1,"type":"lab.Reading","codec":"cbor","data":"omZTZW5zb3Jjcy0xZlZhbHVlc4L5PgD5wAA="}
	// [1.5 -2]
}

// Check finds what is still missing when all types are registered.
func ExampleRegistry_Check() {
	registry := envelope.NewRegistry()
	envelope.MustRegister[Drawing](registry, "shapes.Drawing")
	fmt.Println(registry.Check())
	// Output:
	// shapes.Drawing.Shapes[]: interface envelope_test.Shape is not registered: call envelope.RegisterInterface[envelope_test.Shape](registry, "envelope_test.Shape")
}
