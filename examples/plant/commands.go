package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

func faultCommand(control *string) *cobra.Command {
	var f plantsim.Fault
	kinds := make([]string, len(plantsim.Kinds))
	for i, k := range plantsim.Kinds {
		kinds[i] = string(k)
	}
	cmd := &cobra.Command{
		Use:   "fault KIND|clear",
		Short: "Make a unit faulty, or heal it: " + strings.Join(kinds, ", ") + ", clear",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f.Kind = plantsim.Kind(args[0])
			method := http.MethodPost
			if f.Kind == "clear" {
				method = http.MethodDelete
			}
			_, err := ask(*control, method, "/fault", f)
			return err
		},
	}
	cmd.Flags().Uint8Var(&f.Unit, "unit", 0, "unit that has it; 0: all of them")
	cmd.Flags().DurationVar(&f.Delay, "delay", time.Second, "how late the answers of slow are")
	cmd.Flags().Uint8Var(&f.Code, "code", 4, "exception code that exception answers")
	return cmd
}

func setCommand(control *string) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME VALUE|auto",
		Short: "Override " + strings.Join(plantsim.Settable, ", ") + " (kW; sun and car 0 to 1; soc and fuel in percent), or give it back to its curve",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			s := plantsim.Setting{Name: args[0]}
			if args[1] != "auto" {
				v, err := strconv.ParseFloat(args[1], 64)
				if err != nil {
					return fmt.Errorf("%q is neither a number nor auto", args[1])
				}
				s.Value = &v
			}
			_, err := ask(*control, http.MethodPost, "/set", s)
			return err
		},
	}
}

func getCommand(control *string) *cobra.Command {
	return &cobra.Command{
		Use:       "get [state|writes]",
		Short:     "Print the plant's state, or the writes that reached it, as JSON",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"state", "writes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			what := "state"
			if len(args) == 1 {
				what = args[0]
			}
			body, err := ask(*control, http.MethodGet, "/"+what, nil)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(body)
			return err
		},
	}
}

// ask sends one command to the running plant.
func ask(control, method, path string, body any) ([]byte, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, "http://"+control+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no plant takes commands on %s (start it, or say where with --control): %w", control, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("the plant says: %s", strings.TrimSpace(string(answer)))
	}
	return answer, nil
}
