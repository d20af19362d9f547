site "x" {}

contact "nobody" {}

contact "both" {
  webhook { url = "https://in.example.net/key" }
  email {
    to   = ["a@example.org"]
    from = "b@example.org"
    server { host = "mail.example.org" }
  }
}

contact "ftp" {
  webhook { url = "ftp://hooks.example.org" }
}

contact "template" {
  webhook {
    url  = "https://in.example.net/key"
    body = "{{ .Subjekt }}"
  }
}

contact "address" {
  email {
    to   = ["not an address"]
    from = "x@example.org\r\nBcc: y@example.org"
    server {
      host     = "mail.example.org"
      tls      = "none"
      username = "u"
      password = "p"
    }
  }
}

contact "duty" {
  webhook { url = "https://in.example.net/key" }
}

notification "unknown" {
  contacts = [contact.duti]
}

notification "short" {
  contacts = [contact.duty]
  repeat   = "1s"
  quiet { during = schedule.night }
  group { by = ["site"] }
}
