module github.com/machinery-envelope/machinery-envelope/tests/jsonschema

go 1.26.0

require (
	github.com/machinery-envelope/machinery-envelope v0.0.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/google/uuid v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/text v0.38.0 // indirect
)

replace github.com/machinery-envelope/machinery-envelope => ../..
