package site_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

// secrets of TestSecretsAreNeverPrinted, by where they come from.
var secretsByOrigin = map[string]string{
	"env": "env-4f1bd0", "file": "file-8c22a1", "variable": "variable-93ee7b", "from outside": "outside-c0ffee",
	"literal": "literal-77aa10", "in a template": "template-5d5d5d", "heredoc": "heredoc-1a2b3c", "in a nested block": "nested-0f0f0f",
	"in a list": "list-deaf01", "environment of a plugin": "plugin-env-beef",
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	dir := write(t, map[string]string{
		"token.txt": secretsByOrigin["file"] + "\n",
		"site.hcl": `site "s" {}
variable "outside" {
  type      = string
  sensitive = true
}
variable "inside" {
  sensitive = true
  default   = { password = "` + secretsByOrigin["variable"] + `", pins = ["` + secretsByOrigin["in a list"] + `"] }
}
store {
  address  = "127.0.0.1:6379"
  password = "` + secretsByOrigin["literal"] + `"
  db       = "x"
}
api {
  listen = "127.0.0.1:1"
  token  = var.outside
}
plugin "modbus" { env = { KEY = "` + secretsByOrigin["environment of a plugin"] + `" } }
channel "a" {
  plugin = "modbus"
  config {
    password = file("token.txt")
    retries  = file("token.txt")
    address  = env("SECRET")
    tls {
      ca  = "x"
      key = "` + secretsByOrigin["in a nested block"] + `"
    }
  }
}
channel "b" {
  plugin = "modbus"
  every  = var.inside.password
  config {
    transport = env("SECRET")
    timeout   = env("SECRET")
    password  = "prefix-` + secretsByOrigin["in a template"] + `-${env("SECRET")}"
    retries   = tonumber(env("SECRET"))
  }
}
channel "c" {
  for_each = [env("SECRET")]
  plugin   = "modbus"
}
channel "d" {
  plugin = env("SECRET")
  config {
    password = <<EOT
` + secretsByOrigin["heredoc"] + `
EOT
  }
}
device "d" {
  channel = channel.a
  config { unit = env("SECRET") }
  profile = env("SECRET")
  points  = csv(env("SECRET"))
  point "a" {
    unit    = env("SECRET")
    type    = var.inside.pins[0]
    address = jsondecode(env("SECRET"))
  }
}
model "m" {
  template   = env("SECRET")
  properties = { a = env("SECRET") }
}
model "n" {
  template   = "battery"
  properties = { capacity = env("SECRET") }
}
alarm "a" {
  when          = device.d.a > env("SECRET")
  suppressed_by = [env("SECRET")]
  priority      = var.outside
}
library "rules" { file = env("SECRET") }
sink "s" {
  plugin  = "influxdb"
  include = [env("SECRET")]
  config {
    url    = 1 + env("SECRET")
    bucket = [env("SECRET")]
    token  = 5 * var.inside.password
  }
}
`})
	s, diags := load(t, dir, site.Options{
		Getenv:    func(name string) (string, bool) { return secretsByOrigin["env"], name == "SECRET" },
		Variables: map[string]string{"outside": secretsByOrigin["from outside"]},
	})
	if len(diags) < 12 {
		t.Errorf("only %d diagnostics", len(diags))
	}
	b, err := site.DiagnosticsJSON(s.Sources, diags)
	if err != nil {
		t.Fatal(err)
	}
	printed := map[string]string{
		"text": text(t, s, diags), "JSON": string(b), "error": diags.Error(), "%v": fmt.Sprintf("%v %+v %#v %s", s, s, s, s),
		"store": fmt.Sprintf("%v %+v %#v", s.Store, s.Store, s.Store), "api": fmt.Sprintf("%v %+v %#v", s.API, s.API, s.API),
		"plugin": fmt.Sprintf("%v %+v %#v", s.Plugins[0], *s.Plugins[0], *s.Plugins[0]),
	}
	for _, d := range diags {
		printed["text"] += fmt.Sprintf("%v %+v", d, *d)
	}
	for name, f := range s.Sources {
		printed["source "+name] = string(f.Bytes)
	}
	checkSecrets(t, printed)
}

func checkSecrets(t *testing.T, printed map[string]string) {
	t.Helper()
	for where, text := range printed {
		for origin, secret := range secretsByOrigin {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("the secret from %s stands in %s: …%s…", origin, where, text[max(0, i-200):min(len(text), i+40)])
			}
		}
	}
}

// A sound site has its secrets, and does not print them.
func TestSecretsOfASoundSite(t *testing.T) {
	s := sound(t, map[string]string{"token.txt": secretsByOrigin["file"] + "\r\n", "site.hcl": `
site "s" {}
variable "v" {
  sensitive = true
  default   = "` + secretsByOrigin["variable"] + `"
}
store {
  address  = "127.0.0.1:6379"
  password = var.v
}
channel "a" {
  plugin = "modbus"
  config {
    address  = "host:${env("SECRET")}"
    password = file("token.txt")
    tls {
      ca  = "x"
      key = "` + secretsByOrigin["in a nested block"] + `"
    }
  }
}
`}, site.Options{Getenv: func(name string) (string, bool) { return secretsByOrigin["env"], name == "SECRET" }})
	c := s.Channels[0].Config
	if s.Store.Password != secretsByOrigin["variable"] || c.Values.String("password") != secretsByOrigin["file"] ||
		c.Values.String("address") != "host:"+secretsByOrigin["env"] || c.Values.Block("tls").String("key") != secretsByOrigin["in a nested block"] {
		t.Error("the plugin does not get the secrets")
	}
	for _, path := range []string{"password", "address", "tls.key"} {
		if !c.Sensitive[path] {
			t.Errorf("%s does not count as sensitive", path)
		}
	}
	if c.Sensitive["transport"] || c.Sensitive["tls.ca"] {
		t.Error("too much counts as sensitive")
	}
	if !strings.Contains(c.String(), "transport=tcp") {
		t.Errorf("the config prints as %s", c)
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed := map[string]string{"config": fmt.Sprintf("%v %+v %#v %s", c, c, c, &c), "JSON": string(j), "channel": fmt.Sprintf("%v %+v %#v", *s.Channels[0], *s.Channels[0], *s.Channels[0])}
	for name, f := range s.Sources {
		printed["source "+name] = string(f.Bytes)
	}
	checkSecrets(t, printed)
}

// A file that can't be read to its end is shown too.
func TestSecretsInAFileWithASyntaxError(t *testing.T) {
	dir := write(t, map[string]string{"site.hcl": "store {\n  password = \"" + secretsByOrigin["literal"] + "\n}\napi { token = \"" + secretsByOrigin["in a list"] + "\" + }\n"})
	s, diags := load(t, dir, site.Options{})
	if !diags.HasErrors() {
		t.Fatal("no error")
	}
	checkSecrets(t, map[string]string{"text": text(t, s, diags)})
}

func TestMissingSecrets(t *testing.T) {
	dir := write(t, map[string]string{"site.hcl": head + `
sink "s" {
  plugin = "influxdb"
  config {
    url    = env("NOBODY")
    bucket = file("missing.txt")
    token  = env("NOBODY", "none")
  }
}
`})
	s, diags := load(t, dir, site.Options{})
	said := text(t, s, diags)
	for _, want := range []string{"NOBODY is not set", `env("NOBODY", "")`, "there is no file"} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if len(diags) != 2 {
		t.Errorf("%d diagnostics", len(diags))
	}
	if os.Getenv("NOBODY") != "" {
		t.Skip("somebody set NOBODY")
	}
}
