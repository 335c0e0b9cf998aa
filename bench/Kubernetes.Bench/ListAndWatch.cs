using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Opt.Kubernetes;

namespace Opt.Bench.Kubernetes;

/// <summary>Many pods over HTTPS.</summary>
internal static class ListAndWatch
{
    public static async Task MeasureAsync(int pods)
    {
        using var server = await ApiServerProcess.StartAsync();
        var configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile([server.Kubeconfig]);
        using var client = new KubernetesClient(configuration, new() { QueriesPerSecond = 100_000, Burst = 100_000, RequestTimeout = TimeSpan.FromMinutes(2), AttemptTimeout = TimeSpan.FromMinutes(1) });
        var resource = client.Resource(Resources.Pods);
        await CreateAsync(resource, pods);
        await ListAsync(resource, pods);
        await CurlAsync(configuration);
        await SyncAsync(resource, pods, stream: true);
        await SyncAsync(resource, pods, stream: false);
        await WritesAsync(resource, pods);
    }

    private static async Task CreateAsync(ResourceClient<V1Pod> resource, int pods)
    {
        var start = Figures.Now();
        await Parallel.ForAsync(0, pods, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, ct) => await resource.CreateAsync(Pods.Make(i), ct));
        Figures.Print("creates, 16 at once", "requests/s", pods / Figures.Since(start));
    }

    private static async Task ListAsync(ResourceClient<V1Pod> resource, int pods)
    {
        foreach (var pageSize in new[] { 0, 500 })
        {
            var samples = new List<double>();
            for (var i = 0; i < 5; i++)
            {
                var start = Figures.Now();
                var list = await resource.ListAsync("default", new() { PageSize = pageSize }, default);
                samples.Add(Figures.Since(start));
                if (list.Items.Count != pods) throw new InvalidOperationException($"{list.Items.Count} pods");
            }

            Figures.Print(pageSize == 0 ? $"list {pods} pods at once" : $"list {pods} pods by {pageSize}", "s", [.. samples]);
        }
    }

    /// <summary>The same list, received and thrown away by curl: the bound that transfer alone sets.</summary>
    private static async Task CurlAsync(KubernetesClientConfiguration configuration)
    {
        var folder = Directory.CreateTempSubdirectory("opt-bench-curl-").FullName;
        try
        {
            var certificate = Path.Combine(folder, "client.pem");
            var authority = Path.Combine(folder, "ca.pem");
            using var key = configuration.ClientCertificate!.GetECDsaPrivateKey() ?? (System.Security.Cryptography.AsymmetricAlgorithm)configuration.ClientCertificate!.GetRSAPrivateKey()!;
            await File.WriteAllTextAsync(certificate, configuration.ClientCertificate!.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
            await File.WriteAllTextAsync(authority, configuration.CertificateAuthorities[0].ExportCertificatePem());
            var (times, bytes) = (new List<double>(), 0.0);
            for (var i = 0; i < 5; i++)
            {
                var start = new ProcessStartInfo("curl", ["-sS", "--cacert", authority, "--cert", certificate, "-o", "/dev/null", "-w", "%{time_total} %{size_download}", new Uri(configuration.Host, "/api/v1/namespaces/default/pods").AbsoluteUri]) { RedirectStandardOutput = true };
                using var curl = Process.Start(start)!;
                var said = (await curl.StandardOutput.ReadToEndAsync()).Split(' ');
                times.Add(double.Parse(said[0], CultureInfo.InvariantCulture));
                bytes = double.Parse(said[1], CultureInfo.InvariantCulture);
            }

            Figures.Print("the same list by curl", "s", [.. times]);
            Figures.Print("the same list", "MiB", bytes / 1048576);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task SyncAsync(ResourceClient<V1Pod> resource, int pods, bool stream)
    {
        var (times, sizes) = (new List<double>(), new List<double>());
        for (var i = 0; i < 3; i++)
        {
            var before = Figures.HeapMiB();
            using var informer = new Informer<V1Pod>(resource, new() { Namespace = "default", StreamInitialState = stream, Transform = p => p with { Metadata = p.Metadata with { ManagedFields = null } } });
            using var stop = new CancellationTokenSource();
            var start = Figures.Now();
            var running = informer.RunAsync(stop.Token);
            await informer.WaitForSyncAsync(stop.Token);
            times.Add(Figures.Since(start));
            sizes.Add(Figures.HeapMiB() - before);
            if (informer.Snapshot.Count != pods) throw new InvalidOperationException($"{informer.Snapshot.Count} pods");
            await stop.CancelAsync();
            await running;
        }

        Figures.Print($"informer of {pods} pods complete, {(stream ? "streamed" : "by pages")}", "s", [.. times]);
        Figures.Print($"informer of {pods} pods, {(stream ? "streamed" : "by pages")}", "MiB", [.. sizes]);
    }

    /// <summary>From a write to the informer having seen it: what a reconciler waits after each of its writes.</summary>
    private static async Task WritesAsync(ResourceClient<V1Pod> resource, int pods)
    {
        using var informer = new Informer<V1Pod>(resource, new() { Namespace = "default" });
        using var stop = new CancellationTokenSource();
        var running = informer.RunAsync(stop.Token);
        await informer.WaitForSyncAsync(stop.Token);
        var (writes, seen) = (new List<double>(), new List<double>());
        for (var i = 0; i < 300; i++)
        {
            var start = Figures.Now();
            var patch = Patch.Merge(new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["turn"] = $"{i}" } } });
            var written = await resource.PatchAsync(new("default", $"opt-175b-{i % pods}"), patch, default);
            writes.Add(Figures.Since(start) * 1000);
            await informer.WaitUntilSeenAsync(written, stop.Token);
            seen.Add(Figures.Since(start) * 1000);
        }

        Figures.Print("one patch", "ms", [.. writes]);
        Figures.Print("one patch until the informer has seen it", "ms", [.. seen]);
        await stop.CancelAsync();
        await running;
    }
}
