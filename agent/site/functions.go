package site

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
)

// largestFile bounds what file() reads.
const largestFile = 1 << 20

// functions are those of site.hcl. Over live values only those of the compiler may be called.
func (l *loader) functions() map[string]function.Function {
	f := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "min": stdlib.MinFunc, "max": stdlib.MaxFunc,
		"pow": stdlib.PowFunc, "log": stdlib.LogFunc, "signum": stdlib.SignumFunc, "parseint": stdlib.ParseIntFunc,
		"upper": stdlib.UpperFunc, "lower": stdlib.LowerFunc, "title": stdlib.TitleFunc, "format": stdlib.FormatFunc,
		"formatlist": stdlib.FormatListFunc, "join": stdlib.JoinFunc, "split": stdlib.SplitFunc, "replace": stdlib.ReplaceFunc,
		"regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "regexreplace": stdlib.RegexReplaceFunc,
		"substr": stdlib.SubstrFunc, "strlen": stdlib.StrlenFunc, "chomp": stdlib.ChompFunc, "indent": stdlib.IndentFunc,
		"trim": stdlib.TrimFunc, "trimspace": stdlib.TrimSpaceFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"concat": stdlib.ConcatFunc, "merge": stdlib.MergeFunc, "length": stdlib.LengthFunc, "lookup": stdlib.LookupFunc,
		"keys": stdlib.KeysFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc, "range": stdlib.RangeFunc,
		"contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"compact": stdlib.CompactFunc, "reverse": stdlib.ReverseListFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc,
		"chunklist": stdlib.ChunklistFunc, "coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc,
		"setunion": stdlib.SetUnionFunc, "setintersection": stdlib.SetIntersectionFunc, "setsubtract": stdlib.SetSubtractFunc,
		"setproduct": stdlib.SetProductFunc, "csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
		"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
		"round": unaryFunc("Rounds to the nearest whole number.", math.Round),
		"sum":   foldFunc("Adds numbers.", func(v []float64) float64 { return total(v) }),
		"avg":   foldFunc("The mean of numbers.", func(v []float64) float64 { return total(v) / float64(len(v)) }),
		"env":   l.envFunc(), "file": l.fileFunc(),
	}
	return f
}

func total(v []float64) float64 {
	sum := 0.0
	for _, f := range v {
		sum += f
	}
	return sum
}

func unaryFunc(doc string, f func(float64) float64) function.Function {
	return function.New(&function.Spec{
		Description: doc,
		Params:      []function.Parameter{{Name: "x", Type: cty.Number}},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			x, _ := args[0].AsBigFloat().Float64()
			return cty.NumberFloatVal(f(x)), nil
		},
	})
}

// foldFunc takes numbers, or one list of them.
func foldFunc(doc string, f func([]float64) float64) function.Function {
	return function.New(&function.Spec{
		Description: doc,
		VarParam:    &function.Parameter{Name: "x", Type: cty.DynamicPseudoType},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) == 1 && args[0].CanIterateElements() {
				args = args[0].AsValueSlice()
			}
			if len(args) == 0 {
				return cty.NilVal, errors.New("there is no number in the list")
			}
			v := make([]float64, len(args))
			for i, a := range args {
				n, err := toNumber(a)
				if err != nil {
					return cty.NilVal, function.NewArgError(min(i, 1), err)
				}
				v[i] = n
			}
			return cty.NumberFloatVal(f(v)), nil
		},
	})
}

// envFunc is env(NAME), or env(NAME, DEFAULT). What comes from the environment counts as a secret.
func (l *loader) envFunc() function.Function {
	return function.New(&function.Spec{
		Description: "A variable of the environment; a second argument is used when it is not set. It is never printed.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam:    &function.Parameter{Name: "default", Type: cty.String},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if len(args) > 2 {
				return cty.NilVal, function.NewArgErrorf(2, "env takes a name and a default")
			}
			v, ok := l.getenv(name)
			if !ok && len(args) == 2 {
				return args[1], nil
			}
			if !ok {
				return cty.NilVal, function.NewArgErrorf(0, "the environment variable %s is not set; set it, or give a default: env(%q, \"\")", name, name)
			}
			l.keepSecret(v)
			l.read("env:"+name, []byte(v))
			return cty.StringVal(v).Mark(secretMark), nil
		},
	})
}

// fileFunc is file(PATH): a file's text without the end of its last line. It counts as a secret.
func (l *loader) fileFunc() function.Function {
	return function.New(&function.Spec{
		Description: "The text of a file, relative to the site's folder, without the line break at its end. It is never printed.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := l.path(args[0].AsString())
			b, err := readFile(path, largestFile)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			l.read(path, b)
			text := strings.TrimRight(string(b), "\r\n")
			l.keepSecret(text)
			return cty.StringVal(text).Mark(secretMark), nil
		},
	})
}

// readFile reads a file that is not larger than anybody means.
func readFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are read", path, info.Size(), most)
	}
	b, err := os.ReadFile(path)
	return b, fileError(path, err)
}

// fileError is a sentence about a file, without the name of a system call.
func fileError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no file %s", path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s may not be read", path)
	}
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s can't be read: %w", path, err)
}

// path is a path of the site, relative to its folder.
func (l *loader) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.folder, p)
}
