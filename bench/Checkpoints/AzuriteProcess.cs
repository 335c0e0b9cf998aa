using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Opt.Bench.Checkpoints;

/// <summary>A blob service on loopback (Azurite, from npm), with its data in a folder of its own.</summary>
internal sealed class AzuriteProcess : IDisposable
{
    /// <summary>Azurite's published development account.</summary>
    public const string Account = "devstoreaccount1", Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    private readonly Process _process;
    private readonly string _folder = Directory.CreateTempSubdirectory("opt-bench-azurite-").FullName;

    private AzuriteProcess(string program, int port)
    {
        Endpoint = $"http://127.0.0.1:{port}/{Account}";
        // The shell ends it when its input ends, also when this process is killed.
        var command = $"'{program}' --silent --location '{_folder}' --skipApiVersionCheck --disableTelemetry --blobHost 127.0.0.1 --blobPort {port} >/dev/null 2>&1 & cat >/dev/null; kill $!; wait";
        _process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardInput = true })!;
    }

    public string Endpoint { get; }

    public string ConnectionString => $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint={Endpoint};";

    public static async Task<AzuriteProcess> StartAsync(string program)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var started = new AzuriteProcess(program, port);
        for (var attempt = 0; attempt < 300; attempt++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return started;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
        }

        throw new TimeoutException("Azurite does not listen after 30 s");
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        Directory.Delete(_folder, recursive: true);
    }
}
