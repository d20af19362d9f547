package api

// Route is a route of the site.
type Route struct {
	Name string `json:"name"`
	// Shaped tells whether the routes library has a part in it; else its points go out as they are, but for name and tags.
	Shaped bool `json:"shaped"`
	// Sinks have the counts of each sink that it goes to.
	Sinks   []RouteCounts `json:"sinks"`
	Events  []string      `json:"events"`
	Streams []RouteStream `json:"streams"`
}

// RouteStream is one point, or computed value, on its way through a route.
type RouteStream struct {
	// From is the point; a computed value has its own name.
	From string `json:"from"`
	Name string `json:"name"`
	Unit string `json:"unit"`
	// FromUnit is the point's, when it is converted.
	FromUnit string            `json:"from_unit,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	// Thinning says in words what is left out.
	Thinning string `json:"thinning,omitempty"`
	Computed bool   `json:"computed,omitempty"`
}

// RouteCounts count what went by a route to a sink since the sink was opened, as far as the far end has it.
type RouteCounts struct {
	Route string `json:"route"`
	Sink  string `json:"sink"`
	// Taken are the samples of the points that the route takes. Passed of them went on; Early came too soon behind the one before,
	// Unchanged were within the deadband, Refused had a quality that the route does not take. Failed computed values ended in an
	// error.
	Taken     uint64 `json:"taken"`
	Passed    uint64 `json:"passed"`
	Early     uint64 `json:"early"`
	Unchanged uint64 `json:"unchanged"`
	Refused   uint64 `json:"refused"`
	Failed    uint64 `json:"failed"`
	Events    uint64 `json:"events"`
}
