package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/daemon"
	"github.com/voltage-edge/voltage/sdk/schema"
)

func (e *environment) pluginDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "describe NAME|PATH",
		Short: "What a plugin takes in site.hcl: the config of channels, devices, points and sinks, its profiles",
		Long:  "Asks a plugin that the agent would find (modbus), or an executable (./voltage-plugin-acme). No agent needs to run.",
		Args:  exactly(1, "the name of a plugin, or the path of its executable"),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := daemon.DescribePlugin(c.Context(), e.data, args[0])
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(d)
			}
			e.printPlugin(d)
			return nil
		},
	}
}

func (e *environment) printPlugin(d *daemon.PluginDescription) {
	e.say("%s %s  %s", paint(d.Name, bold, e.colors()), d.Version, d.Path)
	if d.Doc != "" {
		e.say("%s", d.Doc)
	}
	if d.Driver != nil {
		e.printBlock("channel: config { … }", d.Driver.Channel)
		e.printBlock("device: config { … }", d.Driver.Device)
		e.printBlock("point", d.Driver.Point)
		if d.Driver.Address != "" {
			e.say("")
			e.say("address: %s", unmarked(d.Driver.Address))
		}
		if len(d.Driver.PointTypes) > 0 {
			e.say("")
			e.say("types: %s", strings.Join(d.Driver.PointTypes, ", "))
		}
	}
	if len(d.Profiles) > 0 {
		e.say("")
		e.say("profiles: %s", strings.Join(d.Profiles, ", "))
	}
	if d.Sink != nil {
		e.printBlock("sink: config { … }", d.Sink.Config)
	}
}

// printBlock prints what a block takes, and the blocks in it.
func (e *environment) printBlock(title string, b schema.Block) {
	if len(b.Attributes) == 0 && len(b.Blocks) == 0 {
		return
	}
	e.say("")
	e.say("%s", paint(title, bold, e.colors()))
	if b.Doc != "" {
		e.say("%s", unmarked(b.Doc))
	}
	t := newTable("attribute", "type", "default", "")
	for _, a := range b.Attributes {
		t.row(a.Name, string(a.Type), attributeDefault(a), unmarked(attributeDoc(a)))
	}
	width, _ := e.size()
	t.write(e.out, e.colors(), width)
	for _, n := range b.Blocks {
		e.printBlock(title+", "+n.Name+" { … }", n.Block)
	}
}

func attributeDefault(a schema.Attribute) cell {
	switch {
	case a.Required:
		return cell{"required", yellow}
	case a.Default == nil:
		return cell{}
	}
	return cell{fmt.Sprint(a.Default), 0}
}

func attributeDoc(a schema.Attribute) string {
	doc := a.Doc
	if len(a.OneOf) > 0 && !slices.ContainsFunc(a.OneOf, func(v string) bool { return strings.Contains(doc, "`"+v+"`") }) {
		doc += " One of " + strings.Join(a.OneOf, ", ") + "."
	}
	if a.Unit != "" {
		doc += " In " + a.Unit + "."
	}
	if a.Sensitive {
		doc += " It is a secret."
	}
	return doc
}

// unmarked is Markdown as a terminal shows it.
func unmarked(text string) string { return strings.ReplaceAll(text, "`", "") }
