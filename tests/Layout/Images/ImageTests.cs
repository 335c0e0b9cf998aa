using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Opt.Layout.Chart;
using Opt.Testing;
using Xunit;

namespace Opt.Layout.Images;

/// <summary>The programs in their images, doing what they are for. Skipped where no image was built.</summary>
public sealed class ImageTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_operator_in_its_image_answers_the_charts_probes_and_takes_up_a_job()
    {
        using var image = BuiltImage.Find("opt-operator");
        await using var cluster = await InstalledCluster.StartAsync();
        (await cluster.KubectlAsync("apply", "--server-side", "-f", Repo.PathOf("crds"))).Succeeded();
        await File.WriteAllTextAsync(Path.Combine(image.Mounted.FullName, "kubeconfig"), cluster.Kubeconfig, Cancelled);
        var (health, metrics) = (FreePort(), FreePort());
        using var program = image.Start("/usr/local/bin/opt-operator", "run", "--kubeconfig", "/mnt/kubeconfig", "--bind-address", "127.0.0.1", "--health-port", $"{health}", "--metrics-port", $"{metrics}");
        try
        {
            using var http = new HttpClient();
            foreach (var probe in await ProbesAsync()) await UntilAsync(program, image, $"{probe} is answered", async () => (await http.GetAsync($"http://127.0.0.1:{health}{probe}", Cancelled)).IsSuccessStatusCode);
            Assert.Contains("opt_operator_jobs{phase=\"Running\"} 0", await http.GetStringAsync($"http://127.0.0.1:{metrics}/metrics", Cancelled), StringComparison.Ordinal);

            (await cluster.KubectlAsync("apply", "-f", Repo.PathOf("examples", "opt-tiny.yaml"))).Succeeded();
            await UntilAsync(program, image, "the job has pods to run", async () => (await cluster.KubectlAsync("get", "statefulset", "opt-tiny", "-o", "jsonpath={.spec.replicas}")).Output == "2");
        }
        finally
        {
            program.Kill(entireProcessTree: true);
            await program.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task The_trainer_in_its_image_trains_two_steps_on_two_workers()
    {
        using var image = BuiltImage.Find("opt-trainer");
        await WriteCorpusAsync(Path.Combine(image.Mounted.FullName, "corpus"), tokens: 8192);
        await File.WriteAllTextAsync(Path.Combine(image.Mounted.FullName, "train.yaml"), """
            model: {layers: 2, hiddenSize: 64, heads: 4, vocabSize: 50264, maxPositions: 128, dropout: 0.1}
            data: {root: /mnt, train: [{path: corpus}]}
            training: {batchTokens: 1024, sequenceLength: 128, precision: fp32, learningRate: {peak: 3.0e-3, warmup: {steps: 20}}, activationCheckpointing: none, microBatchSequences: 4, seed: 1}
            maxSteps: 2
            """, Cancelled);

        (await image.RunAsync("/opt/opt-trainer/opt-trainer", "train", "--config", "/mnt/train.yaml", "--workers", "2", "--device", "cpu", "--steps-out", "/mnt/steps.jsonl")).Succeeded();

        var steps = (await File.ReadAllLinesAsync(Path.Combine(image.Mounted.FullName, "steps.jsonl"), Cancelled)).Select(l => JsonNode.Parse(l)!).ToArray();
        Assert.Equal([1, 2], steps.Select(s => (long)s["step"]!));
        Assert.All(steps, s => Assert.InRange((double)s["loss"]!, 9, 12.5));   // about ln 50264 = 10.8 before it has learned anything
    }

    [Theory]
    [InlineData("opt-operator")]
    [InlineData("opt-trainer")]
    public async Task Nothing_of_an_image_can_be_written_and_its_program_is_nobody(string name)
    {
        using var image = BuiltImage.Find(name);

        var tried = await image.RunAsync("/bin/sh", "-c", "id -u; touch /usr/local/bin/x || echo refused; touch /mnt/x && echo mounted");

        Assert.Equal(["65532", "refused", "mounted"], tried.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void The_operator_image_adds_less_than_60_MB_to_its_base() =>
        Assert.InRange((BuiltImage.Bytes("opt-operator") - BuiltImage.Bytes("base")) >> 20, 1, 60);

    /// <summary>Paths that the chart's pods are probed by.</summary>
    private static async Task<IReadOnlyList<string>> ProbesAsync()
    {
        var container = (await Helm.ObjectsAsync()).Single(o => (string?)o["kind"] == "Deployment")["spec"]!["template"]!["spec"]!["containers"]![0]!;
        return [.. new[] { "startupProbe", "livenessProbe", "readinessProbe" }.Select(p => (string)container[p]!["httpGet"]!["path"]!).Distinct()];
    }

    private static async Task UntilAsync(Process program, BuiltImage image, string what, Func<Task<bool>> holds)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(3), TimeProvider.System);
        for (var done = false; !done;)
        {
            if (program.HasExited || deadline.IsCancellationRequested) Assert.Fail($"{what}: not so; the program said: {await File.ReadAllTextAsync(Path.Combine(image.Mounted.FullName, "log"), Cancelled)}");
            try
            {
                done = await holds();
            }
            catch (HttpRequestException)
            {
                // not listening yet
            }

            if (!done) await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancelled);
        }
    }

    /// <summary>A tokenised corpus of one document.</summary>
    private static async Task WriteCorpusAsync(string path, int tokens)
    {
        var bytes = new byte[2 * tokens];
        var random = new Random(1);
        for (var i = 0; i < tokens; i++) BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), (ushort)random.Next(50_000));
        var offsets = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(offsets.AsSpan(8), tokens);
        await File.WriteAllBytesAsync($"{path}.bin", bytes, Cancelled);
        await File.WriteAllBytesAsync($"{path}.idx", offsets, Cancelled);
        await File.WriteAllTextAsync($"{path}.json", $$"""
            {"version": 1, "vocabularyDigest": "none", "vocabularySize": 50257, "endOfDocument": 2, "tokens": {{tokens}}, "documents": 1, "bytesDigest": "{{Convert.ToHexStringLower(SHA256.HashData(bytes))}}"}
            """, Cancelled);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
