package main

// chainDef is a chain of nodes.
type chainDef struct {
	MaxDepth int       `json:"max_depth"`
	Nodes    []nodeDef `json:"nodes"`
}

type nodeDef struct {
	ID       string              `json:"id"`
	Kind     string              `json:"kind"`
	Priority int                 `json:"priority"`
	Next     map[string][]string `json:"next"`
	When     string              `json:"when"`
	Cases    []struct {
		When string `json:"when"`
		Port string `json:"port"`
	} `json:"cases"`
	Set    map[string]any `json:"set"`
	Mode   string         `json:"mode"`
	Output string         `json:"output"`
	Value  any            `json:"value"`
}

// windowDef is a window over a source's events.
type windowDef struct {
	Kind  string `json:"kind"`
	Size  any    `json:"size"`
	Every any    `json:"every"`
	Gap   string `json:"gap"`
	Begin string `json:"begin"`
	Emit  string `json:"emit"`
}

type aggregateDef struct {
	Fn    string `json:"fn"`
	Value string `json:"value"`
	As    string `json:"as"`
}

// sequenceDef is a sequence of steps.
type sequenceDef struct {
	Steps  []stepDef `json:"steps"`
	Every  bool      `json:"every"`
	Group  int       `json:"group"`
	Within string    `json:"within"`
	Strict bool      `json:"strict"`
}

type stepDef struct {
	partDef
	Repeat *struct {
		Min *int `json:"min"`
		Max *int `json:"max"`
	} `json:"repeat"`
	All []partDef `json:"all"`
	Any []partDef `json:"any"`
}

type partDef struct {
	As     string `json:"as"`
	Source string `json:"source"`
	Where  string `json:"where"`
	Absent *struct {
		Source string `json:"source"`
		Where  string `json:"where"`
	} `json:"absent"`
	For string `json:"for"`
}
