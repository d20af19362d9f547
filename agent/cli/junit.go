package cli

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/voltage-edge/voltage/agent/durable"
)

// The XML of JUnit, as far as CI servers read it: https://github.com/testmoapp/junitxml.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`

		seconds float64
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes what came of scenarios, a suite for each file.
func writeJUnit(path string, results []scenarioResult) error {
	var all junitSuites
	var seconds float64
	for _, r := range results {
		if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != r.File {
			all.Suites = append(all.Suites, junitSuite{Name: r.File})
		}
		s := &all.Suites[len(all.Suites)-1]
		c := junitCase{Name: r.Scenario, Class: r.File, File: r.File, Time: junitTime(r.Seconds)}
		switch {
		case r.Error != "":
			c.Error = &junitProblem{Message: r.Error}
			s.Errors++
			all.Errors++
		case !r.Passed:
			c.Failure = junitFailure(r)
			s.Failures++
			all.Failures++
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
		all.Tests++
		s.seconds += r.Seconds
		s.Time = junitTime(s.seconds)
		seconds += r.Seconds
	}
	all.Time = junitTime(seconds)
	b, err := xml.MarshalIndent(all, "", "  ")
	if err == nil {
		err = durable.WriteFile(path, append([]byte(xml.Header), append(b, '\n')...), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

// junitFailure has the first expectation that was not met as its message, and all of them as its text.
func junitFailure(r scenarioResult) *junitProblem {
	var text strings.Builder
	for _, f := range r.Failures {
		fmt.Fprintf(&text, "%s: at %s: %s\n", f.Place, f.At, f.Text)
		if f.Why != "" {
			fmt.Fprintf(&text, "  %s\n", f.Why)
		}
	}
	return &junitProblem{Message: r.Failures[0].Text, Text: text.String()}
}

func junitTime(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }
