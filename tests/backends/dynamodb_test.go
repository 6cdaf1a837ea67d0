package backends_test

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"

	dynamodbbackend "github.com/RichardKnop/machinery/v2/backends/dynamodb"
	backendsiface "github.com/RichardKnop/machinery/v2/backends/iface"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"
)

func openDynamoDB(t *testing.T, cnf *config.Config) func() backendsiface.Backend {
	cnf.DynamoDB = &config.DynamoDBConfig{TaskStatesTable: "states", GroupMetasTable: "groups"}
	service := &tables{items: map[string]map[string]item{"states": {}, "groups": {}}}
	settings, _ := serveAWS(t, map[string]action{
		"ListTables":   handling(service.list),
		"PutItem":      handling(service.put),
		"GetItem":      handling(service.get),
		"BatchGetItem": handling(service.batchGet),
		"UpdateItem":   handling(service.update),
		"DeleteItem":   handling(service.delete),
	})
	cnf.DynamoDB.Client = dynamodb.NewFromConfig(settings)
	return func() backendsiface.Backend {
		backend, err := dynamodbbackend.New(cnf)
		require.NoError(t, err)
		return backend
	}
}

// tables is as much of DynamoDB as Machinery uses.
type tables struct {
	mu    sync.Mutex
	items map[string]map[string]item // by table and key
}

// An item is attributes, by name, as they stand in the JSON.
type item map[string]json.RawMessage

// key is the one attribute of a key, or the attribute of an item that is its key.
func (i item) key() string {
	if uuid, ok := i["TaskUUID"]; ok {
		return string(uuid)
	}
	return string(i["GroupUUID"])
}

// A request is what all requests may have.
type request struct {
	TableName                 string
	Item, Key                 item
	RequestItems              map[string]struct{ Keys []item }
	UpdateExpression          string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues item
}

type found struct {
	Item item `json:",omitempty"`
}

type foundAll struct {
	Responses map[string][]item
}

func (s *tables) list(struct{}) map[string][]string {
	return map[string][]string{"TableNames": {"groups", "states"}}
}

func (s *tables) put(r request) struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items[r.TableName][r.Item.key()] = r.Item
	return struct{}{}
}

func (s *tables) get(r request) found {
	s.mu.Lock()
	defer s.mu.Unlock()
	return found{maps.Clone(s.items[r.TableName][r.Key.key()])}
}

// batchGet returns the items in another order than they were asked for, as DynamoDB may.
func (s *tables) batchGet(r request) foundAll {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := foundAll{make(map[string][]item)}
	for table, wanted := range r.RequestItems {
		all.Responses[table] = []item{}
		for i := range wanted.Keys {
			if one, ok := s.items[table][wanted.Keys[len(wanted.Keys)-1-i].key()]; ok {
				all.Responses[table] = append(all.Responses[table], maps.Clone(one))
			}
		}
	}
	return all
}

// update takes expressions of the form SET #A = :a, #B = :b.
func (s *tables) update(r request) struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	updated := s.items[r.TableName][r.Key.key()]
	if updated == nil {
		updated = maps.Clone(r.Key)
		s.items[r.TableName][r.Key.key()] = updated
	}
	for assignment := range strings.SplitSeq(strings.TrimPrefix(r.UpdateExpression, "SET "), ", ") {
		name, value, _ := strings.Cut(assignment, " = ")
		updated[r.ExpressionAttributeNames[name]] = r.ExpressionAttributeValues[value]
	}
	return struct{}{}
}

func (s *tables) delete(r request) struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items[r.TableName], r.Key.key())
	return struct{}{}
}
