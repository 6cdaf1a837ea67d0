package protocodec

import (
	"errors"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
)

// ErrNotMessage: the registered type is not a Protocol Buffers message.
var ErrNotMessage = errors.New("not a Protocol Buffers message")

// Codec writes and reads messages in the binary format of Protocol Buffers. The zero value is ready for use. The type
// to register is the generated struct; its pointer is the message:
//
//	envelope.MustRegister[shoppb.Order](registry, "shop.Order", envelope.UseCodec(protocodec.Codec{}))
//	registry.Marshal(ctx, &shoppb.Order{…})
//
// Equal messages give equal bytes in one build of a program. Fields that are not known come back as they were. What
// arrives is equal in the sense of proto.Equal.
type Codec struct{}

// Name returns "protobuf".
func (Codec) Name() string { return "protobuf" }

// Marshal returns the message v. It returns ErrNotMessage if v is none.
func (Codec) Marshal(v any) ([]byte, error) {
	message, err := messageOf(v)
	if err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(message)
}

// Unmarshal reads data into the message v. It returns ErrNotMessage if v is none.
func (Codec) Unmarshal(data []byte, v any) error {
	message, err := messageOf(v)
	if err != nil {
		return err
	}
	return proto.Unmarshal(data, message)
}

// CheckType returns ErrNotMessage for a type that is none: [envelope.Register] refuses it by that.
func (Codec) CheckType(t reflect.Type) error {
	if !reflect.PointerTo(t).Implements(messageType) {
		return fmt.Errorf("%w: leave out envelope.UseCodec(protocodec.Codec{})", ErrNotMessage)
	}
	return nil
}

var messageType = reflect.TypeFor[proto.Message]()

func messageOf(v any) (proto.Message, error) {
	message, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T: %w", v, ErrNotMessage)
	}
	return message, nil
}
