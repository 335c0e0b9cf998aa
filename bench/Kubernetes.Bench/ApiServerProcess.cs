using System.Diagnostics;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Http;

namespace Opt.Bench.Kubernetes;

/// <summary>The API server in a process of its own, so that memory and time of the client are the client's.</summary>
internal sealed class ApiServerProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _folder;

    private ApiServerProcess(Process process, string folder) => (_process, _folder) = (process, folder);

    public string Kubeconfig => Path.Combine(_folder, "config");

    public static async Task<ApiServerProcess> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("opt-bench-").FullName;
        var file = Path.Combine(folder, "config");
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["serve", file]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        await process.StandardOutput.ReadLineAsync();   // "ready"
        return new(process, folder);
    }

    /// <summary>Serves until standard input ends.</summary>
    public static async Task<int> ServeAsync(string kubeconfig)
    {
        await using var server = await EmbeddedApiServer.StartAsync(new(), default);
        await using var host = await ApiHost.StartAsync(server, new(), default);
        await File.WriteAllTextAsync(kubeconfig, host.AdminKubeconfig());
        Console.WriteLine("ready");
        await Console.In.ReadToEndAsync();
        return 0;
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10))) _process.Kill();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
