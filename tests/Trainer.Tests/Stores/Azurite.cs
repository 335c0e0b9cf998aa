using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Opt.Api.V1Alpha1;
using Opt.Testing;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Stores;
using Xunit;

[assembly: AssemblyFixture(typeof(Azurite))]

namespace Opt.Trainer.Tests.Stores;

/// <summary>One real Blob service (Azurite, from npm) on loopback, started by the first test that asks for it.</summary>
public sealed class Azurite : IAsyncDisposable
{
    public const string Account = "devstoreaccount1";

    /// <summary>Azurite's published development key.</summary>
    public const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private static readonly string Program = Repo.PathOf(".cache", "npm", "node_modules", ".bin", "azurite-blob");
    private readonly Lazy<Task<Running>> _running = new(StartAsync);

    public static bool IsInstalled => File.Exists(Program);

    /// <summary>Endpoint with the account; skips the test when Azurite is not installed.</summary>
    public async Task<string> EndpointAsync()
    {
        Assert.SkipUnless(IsInstalled, "Azurite is not installed: run eng/install.sh test");
        return (await _running.Value).Endpoint;
    }

    public static string ConnectionString(string endpoint) => $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint={endpoint};";

    /// <summary>A store in a container of its own.</summary>
    public async Task<ICheckpointStore> OpenStoreAsync(string? container = null, RetryOptions? retry = null, string? endpoint = null)
    {
        endpoint ??= await EndpointAsync();
        var spec = new StoreSpec { AzureBlob = new() { Account = Account, Container = container ?? $"c{Guid.NewGuid():n}", Prefix = "jobs/opt", Endpoint = endpoint } };
        return StoreFactory.Open(spec, new() { ConnectionString = ConnectionString(endpoint) }, TimeProvider.System, retry: retry);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_running.IsValueCreated) return;
        var running = await _running.Value;
        running.Process.StandardInput.Close();   // the shell ends Azurite when its input ends, also when this process is killed
        await running.Process.WaitForExitAsync();
        Directory.Delete(running.Folder, recursive: true);
    }

    private static async Task<Running> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("opt-azurite-").FullName;
        var port = FreePort();
        var command = $"'{Program}' --silent --location '{folder}' --skipApiVersionCheck --disableTelemetry --blobHost 127.0.0.1 --blobPort {port} > '{folder}/azurite.log' 2>&1 & cat >/dev/null; kill $!; wait";
        var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardInput = true })!;
        await WaitUntilListeningAsync(port);
        return new(process, folder, $"http://127.0.0.1:{port}/{Account}");
    }

    private static async Task WaitUntilListeningAsync(int port)
    {
        for (var attempt = 0; attempt < 300; attempt++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
        }

        throw new TimeoutException($"Azurite does not listen on port {port} after 30 s.");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed record Running(Process Process, string Folder, string Endpoint);
}
