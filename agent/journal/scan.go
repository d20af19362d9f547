package journal

import (
	"encoding/binary"
	"errors"
)

var errRecord = errors.New("the record is malformed")

func appendUint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// scanner reads the parts of a record. After the first part that is not there it has failed, and gives zeros.
type scanner struct {
	b      []byte
	failed bool
}

func (s *scanner) fail() { s.failed, s.b = true, nil }

// end is an error when a part was missing, or when bytes are left over.
func (s *scanner) end() error {
	if s.failed || len(s.b) > 0 {
		return errRecord
	}
	return nil
}

func (s *scanner) byte() byte {
	if len(s.b) == 0 {
		s.fail()
		return 0
	}
	b := s.b[0]
	s.b = s.b[1:]
	return b
}

func (s *scanner) uint() uint64 {
	v, n := binary.Uvarint(s.b)
	if n <= 0 {
		s.fail()
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scanner) int() int64 {
	v, n := binary.Varint(s.b)
	if n <= 0 {
		s.fail()
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scanner) bytes(n int) []byte {
	if n < 0 || n > len(s.b) {
		s.fail()
		return nil
	}
	b := s.b[:n]
	s.b = s.b[n:]
	return b
}

func (s *scanner) string() string {
	n := s.uint()
	if n > uint64(len(s.b)) {
		s.fail()
		return ""
	}
	return string(s.bytes(int(n)))
}

// rest is all that is left.
func (s *scanner) rest() []byte {
	b := s.b
	s.b = nil
	return b
}
