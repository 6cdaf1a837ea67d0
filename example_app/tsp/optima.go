package tsp

// optima are the lengths of the best tours through TSPLIB's problems, proven for all of them, by their names. The files
// themselves do not tell.
var optima = map[string]int{
	"eil51": 426, "berlin52": 7542, "st70": 675, "eil76": 538, "pr76": 108159,
	"rat99": 1211, "kroA100": 21282, "kroB100": 22141, "kroC100": 20749, "kroD100": 21294,
	"kroE100": 22068, "rd100": 7910, "eil101": 629, "lin105": 14379, "pr107": 44303,
	"pr124": 59030, "bier127": 118282, "ch130": 6110, "pr136": 96772, "pr144": 58537,
	"ch150": 6528, "kroA150": 26524, "kroB150": 26130, "pr152": 73682, "u159": 42080,
	"rat195": 2323, "d198": 15780, "kroA200": 29368, "kroB200": 29437, "gil262": 2378,
	"a280": 2579, "lin318": 42029, "rd400": 15281, "pcb442": 50778, "rat783": 8806,
	"pr1002": 259045, "pcb1173": 56892, "nrw1379": 56638, "pr2392": 378032,
}
