// Package sitetest reads sites whose plugins are not there: for tests, and for what measures sites that are never read from.
package sitetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
)

// Plain are plugins of any name that take no configuration: points of the types float32, bool and string, at any address.
type Plain struct{}

// Driver describes a protocol plugin.
func (Plain) Driver(context.Context, string) (*sdk.SchemaResponse, error) {
	return &sdk.SchemaResponse{PointTypes: []string{"float32", "bool", "string"}, Address: "any text"}, nil
}

// Sink describes a sink plugin.
func (Plain) Sink(context.Context, string) (*sdk.SinkSchemaResponse, error) {
	return &sdk.SinkSchemaResponse{}, nil
}

// Profile gives no register map.
func (Plain) Profile(context.Context, string, string) (*sdk.ProfileResponse, error) {
	return &sdk.ProfileResponse{}, nil
}

// Read reads a site of one file, with all that is wrong with it.
func Read(t testing.TB, text string) (*site.Site, hcl.Diagnostics) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return site.Load(context.Background(), file, site.Options{Schemas: Plain{}})
}

// Load is Read of a site that must be sound.
func Load(t testing.TB, text string) *site.Site {
	t.Helper()
	s, diags := Read(t, text)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}
