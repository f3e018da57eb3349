// Stands in for the images of compose/ that the lab cannot have: one program, which behaves by the name that it is called by. It
// listens where the real one does, reads the same secrets, writes to the same volume, asks the engine through the same proxy, and has
// the programs that the health checks call. What it cannot do it refuses by ending, as the real one would.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"
)

type container struct {
	ID              string
	Names           []string
	State           string
	Labels          map[string]string
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
	}
}

func main() {
	name, words := filepath.Base(os.Args[0]), os.Args[1:]
	first := ""
	if len(words) > 0 {
		first = words[0]
	}
	switch {
	case name == "dozzle" && first == "healthcheck":
		probe("GET", "http://127.0.0.1:8080/healthcheck")
	case name == "dozzle":
		dozzle()
	case name == "watchtower" && first == "--health-check":
		probe("GET", "http://127.0.0.1:8080/livez")
	case name == "watchtower":
		watchtower()
	case name == "gotify-app":
		gotify()
	case name == "healthcheck" && strings.Contains(os.Args[0], "extra/"):
		probe("GET", "http://127.0.0.1:3001/")
	case name == "healthcheck":
		probe("HEAD", "http://127.0.0.1:55555/health")
	case name == "node" && first == "server/server.js":
		kuma()
	case name == "node" && first == "/account.js":
		account()
	case name == "node" && first == "server.js":
		homepage()
	case name == "autokuma":
		autokuma()
	case name == "bash":
		dial(words)
	case name == "socket-proxy":
		socketProxy(words)
	case first == "get" && len(words) == 2:
		show(words[1])
	default:
		die("nothing stands in for %v", os.Args)
	}
}

func die(format string, words ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", words...)
	os.Exit(1)
}

func say(format string, words ...any) {
	fmt.Printf("level=info msg=%q\n", fmt.Sprintf(format, words...))
}

// A secret that cannot be read, and a volume that cannot be written, are what a deploy has to find.
func secret(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		die("%v", err)
	}
	return strings.TrimSpace(string(data))
}

func keep(path string) {
	if err := os.WriteFile(path, []byte("kept\n"), 0o600); err != nil {
		die("%v", err)
	}
}

func serve(address string, handler http.Handler) {
	say("listening on %s", address)
	die("%v", http.ListenAndServe(address, handler))
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func probe(method, address string) {
	client := http.Client{Timeout: 3 * time.Second}
	request, _ := http.NewRequest(method, address, nil)
	response, err := client.Do(request)
	if err != nil {
		die("%v", err)
	}
	if response.StatusCode != http.StatusOK {
		die("%s", response.Status)
	}
}

func show(address string) {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(address)
	if err != nil {
		die("%v", err)
	}
	fmt.Println(response.StatusCode)
	_, _ = io.Copy(os.Stdout, response.Body)
	if response.StatusCode != http.StatusOK {
		os.Exit(1)
	}
}

// ---- what asks the engine ----

func containers(base string) ([]container, error) {
	client := http.Client{Timeout: 3 * time.Second}
	response, err := client.Get(strings.Replace(base, "tcp://", "http://", 1) + "/containers/json?all=1")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the proxy answers %s", response.Status)
	}
	var found []container
	return found, json.NewDecoder(response.Body).Decode(&found)
}

func named(w http.ResponseWriter, service string) {
	answer(w, http.StatusOK, map[string]string{"service": service})
}

func dozzle() {
	if os.Getenv("DOZZLE_AUTH_PROVIDER") == "simple" && !strings.Contains(secret("/data/users.yml"), "password:") {
		die("users.yml has no user")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { named(w, "dozzle") })
	mux.HandleFunc("/healthcheck", func(w http.ResponseWriter, r *http.Request) {
		if _, err := containers(os.Getenv("DOZZLE_REMOTE_HOST")); err != nil {
			answer(w, http.StatusInternalServerError, err.Error())
			return
		}
		answer(w, http.StatusOK, "OK")
	})
	serve(":8080", mux)
}

func watchtower() {
	for _, line := range strings.Split(secret(os.Getenv("WATCHTOWER_NOTIFICATION_URL")), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "gotify://") {
			die("Failed to initialize Shoutrrr notifications")
		}
	}
	token := secret(os.Getenv("WATCHTOWER_HTTP_API_TOKEN"))
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, "OK") })
	mux.HandleFunc("/v1/containers", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			answer(w, http.StatusUnauthorized, "no")
			return
		}
		found, err := containers(os.Getenv("DOCKER_HOST"))
		if err != nil {
			answer(w, http.StatusInternalServerError, err.Error())
			return
		}
		names := []string{}
		for _, one := range found {
			names = append(names, strings.TrimPrefix(one.Names[0], "/"))
		}
		answer(w, http.StatusOK, map[string][]string{"containers": names})
	})
	serve(":8080", mux)
}

func homepage() {
	allowed := append(strings.Split(os.Getenv("HOMEPAGE_ALLOWED_HOSTS"), ","), "127.0.0.1:3000", "localhost:3000")
	key := secret(os.Getenv("HOMEPAGE_FILE_GOTIFY_CLIENT_TOKEN"))
	if !strings.Contains(secret("/app/config/docker.yaml"), "host: socket-proxy") {
		die("docker.yaml names no engine")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/healthcheck", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, "up") })
	mux.HandleFunc("/api/services", func(w http.ResponseWriter, r *http.Request) {
		found, err := containers("http://socket-proxy:2375")
		if err != nil {
			answer(w, http.StatusInternalServerError, err.Error())
			return
		}
		tiles, keyed := []string{}, []string{}
		for _, one := range found {
			if name := one.Labels["homepage.name"]; name != "" {
				tiles = append(tiles, name)
				if one.Labels["homepage.widget.key"] == "{{HOMEPAGE_FILE_GOTIFY_CLIENT_TOKEN}}" && key != "" {
					keyed = append(keyed, name)
				}
			}
		}
		sort.Strings(tiles)
		answer(w, http.StatusOK, map[string][]string{"tiles": tiles, "keyed": keyed})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { named(w, "homepage") })
	serve(":3000", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, host := range allowed {
			if r.Host == host {
				mux.ServeHTTP(w, r)
				return
			}
		}
		answer(w, http.StatusBadRequest, "Host validation failed")
	}))
}

// ---- what keeps something ----

func gotify() {
	secret(os.Getenv("GOTIFY_DEFAULTUSER_PASS_FILE"))
	keep("/app/data/gotify.db")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { named(w, "gotify") })
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]string{"health": "green", "database": "green"})
	})
	serve(":80", mux)
}

func kuma() {
	if os.Getenv("UPTIME_KUMA_DB_TYPE") != "sqlite" {
		die("the page of the first start would ask for a database")
	}
	keep("/app/data/kuma.db")
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { named(w, "uptime-kuma") })
	mux.HandleFunc("/setup", func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat("/app/data/account"); err == nil {
			answer(w, http.StatusOK, "there is an account")
			return
		}
		keep("/app/data/account")
		answer(w, http.StatusOK, "the account admin is made")
	})
	serve(":3001", mux)
}

func account() {
	secret("/run/secrets/admin-password")
	if !strings.Contains(secret("/account.js"), "needSetup") {
		die("account.js is not what it was")
	}
	show("http://uptime-kuma:3001/setup")
}

func autokuma() {
	// config.yaml of $XDG_CONFIG_HOME, and autokuma.toml beside it, are all that 2.0.0 reads
	if !strings.Contains(secret("/root/.config/autokuma/config.yaml"), "password:") || os.Getenv("AUTOKUMA__KUMA__USERNAME") == "" {
		die("no account in AutoKuma's settings")
	}
	keep("/data/autokuma.db")
	last := ""
	for {
		monitors := map[string]bool{}
		found, err := containers(os.Getenv("AUTOKUMA__DOCKER__HOSTS"))
		for _, one := range found {
			for label := range one.Labels {
				if strings.HasPrefix(label, "kuma.") {
					monitors[strings.Split(label, ".")[1]] = true
				}
			}
		}
		names := []string{}
		for name := range monitors {
			names = append(names, name)
		}
		sort.Strings(names)
		now := "monitors: " + strings.Join(names, " ")
		if err != nil {
			now = err.Error()
		}
		if now != last {
			say("%s", now)
			last = now
		}
		time.Sleep(time.Second)
	}
}

// bash -c "exec 3<>/dev/tcp/HOST/PORT", and nothing else of bash.
func dial(words []string) {
	match := regexp.MustCompile(`^exec 3<>/dev/tcp/([\w.-]+)/(\d+)$`).FindStringSubmatch(words[len(words)-1])
	if match == nil {
		die("no shell here: %v", words)
	}
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(match[1], match[2]), 3*time.Second)
	if err != nil {
		die("%v", err)
	}
	_ = connection.Close()
}

// ---- the proxy of the engine's socket: each client may ask what its own labels say ----

type allowed struct {
	mutex    sync.Mutex
	networks map[string]bool
	clients  map[string]map[string]*regexp.Regexp
	read     time.Time
}

func socketProxy(words []string) {
	name, checked := "", false
	for _, word := range words {
		if value, is := strings.CutPrefix(word, "-proxycontainername="); is {
			name = value
		}
		checked = checked || word == "-allowhealthcheck"
	}
	engine := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", "/var/run/docker.sock")
	}}
	list := &allowed{}
	for try := 1; len(list.networks) == 0; try++ {
		if err := list.refresh(engine, name); err != nil {
			die("the engine does not answer: %v", err)
		}
		if len(list.networks) == 0 && try == 3 {
			die("socket-proxy container %q was not found", name)
		}
		if len(list.networks) == 0 {
			time.Sleep(time.Duration(try) * time.Second)
		}
	}
	target, _ := url.Parse("http://docker")
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = engine, -1
	if checked {
		go serve("127.0.0.1:55555", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := list.refresh(engine, name); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
	}
	serve(":2375", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		status := list.status(client, r)
		if status == http.StatusForbidden && time.Since(list.asked()) > 100*time.Millisecond {
			_ = list.refresh(engine, name) // it may have started just now
			status = list.status(client, r)
		}
		if status != http.StatusOK {
			say("blocked %s %s of %s: %d", r.Method, r.URL.Path, client, status)
			http.Error(w, http.StatusText(status), status)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
}

func (list *allowed) refresh(engine http.RoundTripper, name string) error {
	client := http.Client{Transport: engine, Timeout: 5 * time.Second}
	response, err := client.Get("http://docker/containers/json")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var found []container
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
		return err
	}
	networks, clients := map[string]bool{}, map[string]map[string]*regexp.Regexp{}
	for _, one := range found {
		for _, own := range one.Names {
			if strings.TrimPrefix(own, "/") == name {
				for network := range one.NetworkSettings.Networks {
					networks[network] = true
				}
			}
		}
	}
	for _, one := range found {
		rules := map[string]*regexp.Regexp{}
		for label, value := range one.Labels {
			if method, is := strings.CutPrefix(label, "socket-proxy.allow."); is {
				rules[strings.ToUpper(method)] = regexp.MustCompile("^" + value + "$")
			}
		}
		for network, at := range one.NetworkSettings.Networks {
			if networks[network] && len(rules) > 0 {
				clients[at.IPAddress] = rules
			}
		}
	}
	list.mutex.Lock()
	defer list.mutex.Unlock()
	list.networks, list.clients, list.read = networks, clients, time.Now()
	return nil
}

func (list *allowed) asked() time.Time {
	list.mutex.Lock()
	defer list.mutex.Unlock()
	return list.read
}

func (list *allowed) status(client string, r *http.Request) int {
	list.mutex.Lock()
	defer list.mutex.Unlock()
	rules, known := list.clients[client]
	switch rule := rules[r.Method]; {
	case !known:
		return http.StatusForbidden
	case rule == nil:
		return http.StatusMethodNotAllowed
	case !rule.MatchString(r.URL.Path):
		return http.StatusForbidden
	}
	return http.StatusOK
}
