// Runs kubelet's plugin manager over a directory of registrations, with a handler that does what kubelet's own does
// with a CSI driver: it looks at the versions, dials the endpoint and asks who the node is.
//
// Each event is one line on stdout:
//
//	registered NAME ENDPOINT NODE
//	refused NAME WHY
//	deregistered NAME
//
// It ends when its stdin does, so that it never outlives the test that started it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/kubelet/pluginmanager"
)

// What kubelet gives a call to a driver.
const timeout = 2 * time.Minute

type handler struct {
	refusals atomic.Int64
}

func say(words ...string) {
	fmt.Println(strings.Join(words, " "))
}

// Versions that kubelet's own handler would refuse as well.
func (h *handler) ValidatePlugin(name, endpoint string, versions []string) error {
	if slices.Contains(versions, "1.0.0") {
		return nil
	}
	say("refused", name, "versions", strings.Join(versions, ","))
	return fmt.Errorf("the versions %q of %s are not supported", versions, name)
}

// Whatever fails here kubelet does not try again.
func (h *handler) RegisterPlugin(name, endpoint string, _ []string, _ *time.Duration) error {
	if h.refusals.Add(-1) >= 0 {
		say("refused", name, "as told")
		return errors.New("error updating Node object with CSI driver node info")
	}
	node, err := nodeID(endpoint)
	if err != nil {
		say("refused", name, strings.ReplaceAll(err.Error(), "\n", " "))
		return err
	}
	say("registered", name, endpoint, node)
	return nil
}

func (h *handler) DeRegisterPlugin(name, _ string) {
	say("deregistered", name)
}

func nodeID(endpoint string) (string, error) {
	conn, err := grpc.NewClient("unix:"+endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	info, err := csi.NewNodeClient(conn).NodeGetInfo(ctx, &csi.NodeGetInfoRequest{})
	return info.GetNodeId(), err
}

func main() {
	refuse := flag.Int64("refuse", 0, "refuse the first `N` registrations")
	klog.InitFlags(nil) // -v=5 shows each step on stderr
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: pluginmanager [-refuse N] DIRECTORY")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	drivers := &handler{}
	drivers.refusals.Store(*refuse)
	manager := pluginmanager.NewPluginManager(flag.Arg(0), nil)
	manager.AddHandler("CSIPlugin", drivers)
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	manager.Run(nil, stop)
}
