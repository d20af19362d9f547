package wire

// NewValue wraps a value that is no block: string, float64, bool, []string, []float64, map[string]string, and int for
// convenience. Anything else, nil too, gives nil.
func NewValue(v any) *Value {
	switch v := v.(type) {
	case string:
		return &Value{Kind: &Value_Text{Text: v}}
	case float64:
		return &Value{Kind: &Value_Number{Number: v}}
	case int:
		return &Value{Kind: &Value_Number{Number: float64(v)}}
	case bool:
		return &Value{Kind: &Value_Flag{Flag: v}}
	case []string:
		return &Value{Kind: &Value_Texts{Texts: &Texts{Items: v}}}
	case []float64:
		return &Value{Kind: &Value_Numbers{Numbers: &Numbers{Items: v}}}
	case map[string]string:
		return &Value{Kind: &Value_Map{Map: &TextMap{Items: v}}}
	default:
		return nil
	}
}

// Plain unwraps a value that is no block; nil when it is one, or empty.
func (v *Value) Plain() any {
	switch k := v.GetKind().(type) {
	case *Value_Text:
		return k.Text
	case *Value_Number:
		return k.Number
	case *Value_Flag:
		return k.Flag
	case *Value_Texts:
		return k.Texts.GetItems()
	case *Value_Numbers:
		return k.Numbers.GetItems()
	case *Value_Map:
		return k.Map.GetItems()
	default:
		return nil
	}
}
