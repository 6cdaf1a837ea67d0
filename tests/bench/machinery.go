package main

import "fmt"

var machineryAlone = section{
	title:     "Machinery alone",
	benchmark: "Machinery",
	runs:      []run{{cpu: "1,2"}},
	report:    reportMachinery,
	bounds:    boundMachinery,
}

const aboutMachinery = `What a worker pays for one argument. "restore" starts at the argument as it stands in the decoded
signature: tasks.ReflectValue against Registry.Unmarshal. "receive" starts at its JSON text in the message, and so adds on
both sides what Machinery does with every argument: encoding/json into any, with UseNumber. One argument at a time; of two
cores the other one is left to the garbage collector.

`

var (
	machineryPayloads = []struct{ name, title string }{
		{"bytes", "1 MiB of []byte"},
		{"floats", "100,000 float64"},
	}
	machineryOperations = []string{"restore", "receive"}
)

// restoring is the measurement of one sub-benchmark.
func restoring(payload, operation, way string, cores int) measurement {
	name := fmt.Sprintf("Machinery/payload=%s/op=%s/way=%s", payload, operation, way)
	return measurement{name, "", cores, seconds}
}

func reportMachinery(m *measurements) string {
	var rows [][]string
	for _, p := range machineryPayloads {
		for _, op := range machineryOperations {
			for _, cores := range []int{1, 2} {
				native := m.median(restoring(p.name, op, "native", cores))
				ours := m.median(restoring(p.name, op, "envelope", cores))
				rows = append(rows, []string{
					fmt.Sprintf("%s %s, %s", op, p.title, coreNames[cores]),
					duration(native), duration(ours), times(native/ours, 1),
				})
			}
		}
	}
	return aboutMachinery + table([]string{"", "Machinery", "envelope", "ratio"}, rows)
}

func boundMachinery(m *measurements) []bound {
	var bounds []bound
	for _, cores := range []int{1, 2} {
		speed := func(payload, native, ours string) float64 {
			return m.median(restoring(payload, native, "native", cores)) / m.median(restoring(payload, ours, "envelope", cores))
		}
		on := " on " + coreNames[cores]
		bounds = append(bounds,
			atLeast(30, speed("bytes", "restore", "restore"), "restore 1 MiB of []byte"+on+", speed of tasks.ReflectValue"),
			atLeast(4, speed("floats", "receive", "restore"),
				"restore 100,000 float64"+on+", speed of JSON into any and tasks.ReflectValue"))
	}
	return bounds
}
