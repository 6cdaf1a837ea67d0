package inspecttest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"

	"github.com/machinery-envelope/machinery-envelope/envelope"
)

// An Order is a type with others in it.
type Order struct {
	ID       string     `json:"id"`
	Customer Customer   `json:"customer"`
	Lines    []Line     `json:"lines"`
	Note     string     `json:"note"`
	Delivery *Customer  `json:"delivery"`
	Payment  *Card      `json:"payment"`
	Tags     []string   `json:"tags"`
	Rates    [3]float64 `json:"rates"`
}

// A Customer is a part of an Order.
type Customer struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// A Line is a part of an Order.
type Line struct {
	Article string `json:"article"`
	Count   int    `json:"count"`
}

// A Card is registered as secret.
type Card struct {
	Number string `json:"number"`
}

// A Patient is registered as encrypted.
type Patient struct {
	Name  string `json:"name"`
	Blood string `json:"blood"`
}

// A Tree is as deep as it likes.
type Tree struct {
	Value    int     `json:"value"`
	Children []*Tree `json:"children"`
}

// NewRegistry returns a registry of the types of this package.
func NewRegistry() *envelope.Registry {
	registry := envelope.NewRegistry(envelope.EncryptMarked(newAEAD()))
	envelope.MustRegister[Order](registry, "orders.Order")
	envelope.MustRegister[Customer](registry, "orders.Customer")
	envelope.MustRegister[Line](registry, "orders.Line")
	envelope.MustRegister[Card](registry, "payments.Card", envelope.Secret())
	envelope.MustRegister[Patient](registry, "clinic.Patient", envelope.Encrypted())
	envelope.MustRegister[Tree](registry, "test.Tree")
	return registry
}

type aead struct{ cipher.AEAD }

// newAEAD has the same key in every process, for a registry in another to read what this one wrote.
func newAEAD() aead {
	block, err := aes.NewCipher([]byte("a key for tests, 32 bytes long.."))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead{gcm}
}

func (a aead) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	nonce := make([]byte, a.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return a.Seal(nonce, nonce, plaintext, associatedData), nil
}

func (a aead) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	if len(ciphertext) < a.NonceSize() {
		return nil, errors.New("too short")
	}
	return a.Open(nil, ciphertext[:a.NonceSize()], ciphertext[a.NonceSize():], associatedData)
}
