package wirelock_test

import (
	"context"
	"time"

	"github.com/machinery-envelope/machinery-envelope/middleware"
)

var (
	shipped   = registers[withQty]("orders.Order")
	purchases = registers[purchase]("orders.Purchase")
)

var breakingTasks = []change{
	{name: "text parameter no longer registered", old: takes[func(status) error](args(status("a"))).with(registers[status]("orders.Status")),
		new: takes[func(string) error](args("a"))},
	{name: "task removed", old: of(list(order)), new: generation{types: shipped}},
	{name: "parameter added", old: takes[func(string) error](args("a")), new: takes[func(string, int64) error](args("a", int64(1)))},
	{name: "parameter removed", old: takes[func(string, int64) error](args("a", int64(1))), new: takes[func(string) error](args("a"))},
	{name: "parameters swapped", old: takes[func(string, int64) error](args("a", int64(1))), new: takes[func(int64, string) error](args(int64(1), "a"))},
	{name: "names of parameters swapped", old: takes[func(string, string) error](args("a", "b")).named("from", "to"),
		new: takes[func(string, string) error](args("b", "a")).named("to", "from")},
	{name: "parameter renamed", old: takes[func(string) error](args("a")).named("from"), new: takes[func(string) error](args("a")).named("source")},
	{name: "names of parameters dropped", old: takes[func(string) error](args("a")).named("from"), new: takes[func(string) error](args("a"))},
	{name: "parameter retyped", old: takes[func(string) error](args("a")), new: takes[func(int64) error](args(int64(1)))},
	{name: "parameter narrowed", old: takes[func(int64) error](args(int64(1 << 40))), new: takes[func(int32) error](args(int32(1)))},
	{name: "parameter to float", old: takes[func(int64) error](args(int64(1))), new: takes[func(float64) error](args(1.5))},
	{name: "pointer parameter to value", old: takes[func(*withQty) error](args(&order)).with(shipped), new: of(list(order))},
	{name: "parameter of another registered type", old: of(list(order)).with(purchases), new: takes[func(purchase) error](args(purchase{"o", 3})).with(shipped, purchases)},
	{name: "values of a map parameter retyped", old: takes[func(map[string]int64) error](args(map[string]int64{"a": 1})),
		new: takes[func(map[string]int32) error](args(map[string]int32{"a": 1}))},
	{name: "list parameter to map", old: takes[func([]string) error](args([]string{"a"})), new: takes[func(map[string]string) error](args(map[string]string{"a": "b"}))},
	{name: "anything to one type", old: anything("a", order).with(shipped), new: of(list(order))},
	{name: "variadic to one", old: takes[func(...string) error](args("a", "b"), args()), new: takes[func(string) error](args("a"))},
	{name: "variadic to list", old: takes[func(...string) error](args("a", "b"), args()), new: takes[func([]string) error](args([]string{"a"}))},
	{name: "list to variadic", old: takes[func([]string) error](args([]string{"a", "b"})), new: takes[func(...string) error](args("a"), args())},
	{name: "parameter before the variadic one", old: takes[func(...string) error](args("a", "b"), args()), new: takes[func(string, ...string) error](args("a"))},
	{name: "result added", old: takes[func(string) error](args("a")), new: takes[func(string) (string, error)](args("a")).returning(args("r"))},
	{name: "result removed", old: takes[func(string) (string, error)](args("a")).returning(args("r")), new: takes[func(string) error](args("a"))},
	{name: "result retyped", old: takes[func(string) (string, error)](args("a")).returning(args("r")),
		new: takes[func(string) (int64, error)](args("a")).returning(args(int64(1)))},
	{name: "result narrowed", old: takes[func(string) (int64, error)](args("a")).returning(args(int64(1 << 40))),
		new: takes[func(string) (int32, error)](args("a")).returning(args(int32(1)))},
	{name: "results swapped", old: takes[func(string) (string, int64, error)](args("a")).returning(args("r", int64(1))),
		new: takes[func(string) (int64, string, error)](args("a")).returning(args(int64(1), "r"))},
	{name: "type of a result retyped", old: takes[func(string) (withQty, error)](args("a")).returning(args(order)).with(shipped),
		new: takes[func(string) (withTextQty, error)](args("a")).returning(args(withTextQty{"o", "3"})).with(registers[withTextQty]("orders.Order"))},
}

var orderedTasks = []change{
	{name: "text parameter registered", old: takes[func(string) error](args("a")), new: takes[func(status) error](args(status("a"))).with(registers[status]("orders.Status"))},
	{name: "variadic parameter added", old: takes[func(string) error](args("a")), new: takes[func(string, ...string) error](args("a"), args("a", "b"))},
	{name: "one to variadic", old: takes[func(string) error](args("a")), new: takes[func(...string) error](args("a", "b"), args())},
	{name: "names given to parameters", old: takes[func(string) error](args("a")), new: takes[func(string) error](args("a")).named("from")},
	{name: "parameter widened", old: takes[func(int32) error](args(int32(1))), new: takes[func(int64) error](args(int64(1 << 40)))},
	{name: "parameter to pointer", old: of(list(order)), new: takes[func(*withQty) error](args(&order)).with(shipped)},
	{name: "parameter to anything", old: of(list(order)), new: anything(order, "a").with(shipped)},
	{name: "parameter to interface", old: takes[func(crate) error](args(crate{5})).with(packs...),
		new: takes[func(packing) error](args(crate{5}), args(bag{5})).with(packs...)},
	{name: "parameters left out", old: takes[func(string) error](args("a")), new: generation{task: nothing, takesNothing: true, calls: [][]any{args()}}},
	{name: "result widened", old: takes[func(string) (int32, error)](args("a")).returning(args(int32(1))),
		new: takes[func(string) (int64, error)](args("a")).returning(args(int64(1 << 40)))},
	{name: "field removed from the type of a result", old: takes[func(string) (withQty, error)](args("a")).returning(args(order)).with(shipped),
		new: takes[func(string) (idOnly, error)](args("a")).returning(args(idOnly{"o"})).with(registers[idOnly]("orders.Order"))},
}

var compatibleTasks = []change{
	{name: "task added", old: generation{types: shipped}, new: generation{types: shipped, task: takes[func(string) error]().task}},
	{name: "context taken", old: of(list(order)), new: of(list(order)).contextual()},
	{name: "integer parameter of another name", old: takes[func(int) error](args(5)), new: takes[func(int64) error](args(int64(5)))},
	{name: "text parameter gets a defined type", old: takes[func(string) error](args("a")), new: takes[func(status) error](args(status("a")))},
	{name: "list parameter gets a defined type", old: takes[func([]string) error](args([]string{"a"})), new: takes[func([]status) error](args([]status{"a"}))},
	{name: "nanoseconds parameter to duration", old: takes[func(int64) error](args(int64(5))), new: takes[func(time.Duration) error](args(time.Second))},
	{name: "text parameter of a registered type", old: takes[func(string) error](args("a")).with(registers[status]("orders.Status")),
		new: takes[func(status) error](args(status("a"))).with(registers[status]("orders.Status"))},
	{name: "text parameter of no registered type", old: takes[func(status) error](args(status("a"))).with(registers[status]("orders.Status")),
		new: takes[func(string) error](args("a")).with(registers[status]("orders.Status"))},
	{name: "result of another integer", old: takes[func(string) (int, error)](args("a")).returning(args(5)),
		new: takes[func(string) (int64, error)](args("a")).returning(args(int64(5)))},
	{name: "field added to the type of a result", old: takes[func(string) (idOnly, error)](args("a")).returning(args(idOnly{"o"})).with(registers[idOnly]("orders.Order")),
		new: takes[func(string) (withQty, error)](args("a")).returning(args(order)).with(shipped)},
	{name: "slices in envelopes", old: takes[func([]string) error](args([]string{"a"})), new: takes[func([]string) error](args([]string{"a"})).installed(middleware.EnvelopeSlices())},
	{name: "everything in envelopes", old: takes[func(string, int64) error](args("a", int64(1))),
		new: takes[func(string, int64) error](args("a", int64(1))).installed(middleware.EnvelopeAll())},
}

var packs = list(registersInterface[packing]("orders.Packing"), registers[crate]("orders.Crate"), registers[bag]("orders.Bag"))

var nothing = takes[func(context.Context) error]().task
