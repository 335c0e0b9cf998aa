using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Opt.Kubernetes;

namespace Opt.Bench.Kubernetes;

/// <summary>Receives an answer and throws it away: the bound that the server and the transfer set.</summary>
internal sealed class Curl : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("opt-bench-curl-").FullName;
    private readonly Uri _host;

    public Curl(KubernetesClientConfiguration configuration)
    {
        var certificate = configuration.ClientCertificate!;
        using var key = certificate.GetECDsaPrivateKey() ?? (AsymmetricAlgorithm)certificate.GetRSAPrivateKey()!;
        File.WriteAllText(Path.Combine(_folder, "client.pem"), certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
        File.WriteAllText(Path.Combine(_folder, "ca.pem"), configuration.CertificateAuthorities[0].ExportCertificatePem());
        _host = configuration.Host;
    }

    /// <summary>Bytes of the last answer.</summary>
    public double Bytes { get; private set; }

    /// <summary>Seconds of one GET, the connection included.</summary>
    public async Task<double> GetAsync(string path)
    {
        var start = new ProcessStartInfo("curl", ["-sS", "--cacert", Path.Combine(_folder, "ca.pem"), "--cert", Path.Combine(_folder, "client.pem"),
            "-o", "/dev/null", "-w", "%{time_total} %{size_download}", new Uri(_host, path).AbsoluteUri]) { RedirectStandardOutput = true };
        using var curl = Process.Start(start)!;
        var said = (await curl.StandardOutput.ReadToEndAsync()).Split(' ');
        Bytes = double.Parse(said[1], CultureInfo.InvariantCulture);
        return double.Parse(said[0], CultureInfo.InvariantCulture);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
