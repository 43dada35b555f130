// Package storage is Kubernetes' own storage e2e suite for the driver that a file defines (-storage.testdriver), built
// without the suites of other fields, whose specs would take longer to set up than ours take to run.
package storage

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"k8s.io/kubernetes/test/e2e"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/e2e/framework/config"
	"k8s.io/kubernetes/test/e2e/framework/testfiles"

	_ "k8s.io/kubernetes/test/e2e/storage/external"

	_ "k8s.io/kubernetes/test/e2e/framework/debug/init"
	_ "k8s.io/kubernetes/test/e2e/framework/metrics/init"
	_ "k8s.io/kubernetes/test/e2e/framework/node/init"
)

// TestMain does what that of k8s.io/kubernetes/test/e2e does.
func TestMain(m *testing.M) {
	config.CopyFlags(config.Flags, flag.CommandLine)
	framework.RegisterCommonFlags(flag.CommandLine)
	framework.RegisterClusterFlags(flag.CommandLine)
	flag.Parse()
	framework.AfterReadingAllFlags(&framework.TestContext)
	testfiles.AddFileSource(testfiles.RootFileSource{Root: framework.TestContext.RepoRoot})
	// Not before: the flags end with a rehearsal of all tests, which would report them too, and them alone.
	ginkgo.ReportAfterEach(progress)
	os.Exit(m.Run())
}

func TestE2E(t *testing.T) { e2e.RunE2ETests(t) }

// A line for each test that has ended, in the file that PROGRESS names: in parallel runs Ginkgo itself only counts them.
func progress(report ginkgo.SpecReport) {
	path := os.Getenv("PROGRESS")
	if path == "" || report.State == types.SpecStateSkipped {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		framework.Logf("no line of progress: %v", err)
		return
	}
	defer file.Close()
	fmt.Fprintf(file, "%s: %s [%.0f s]\n", report.State, report.FullText(), report.RunTime.Seconds())
}
