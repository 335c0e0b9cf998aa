using System.Runtime.InteropServices;
using Opt.Api.Protocol;
using Opt.Trainer.Diagnostics;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Loop;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Diagnostics;

public sealed class DiagnosticTestsTests : IDisposable
{
    private const string Node = "node-a";
    private static readonly Effort s_small = new(64, TimeSpan.FromMilliseconds(1), 8 << 20, TimeSpan.FromSeconds(30), 2 << 20, 2, 1 << 16);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> OfOneNode => [DiagnosticTests.Devices, DiagnosticTests.Memory, DiagnosticTests.MatrixProduct, DiagnosticTests.Disk, DiagnosticTests.TrainingStep];

    [Theory]
    [MemberData(nameof(OfOneNode))]
    public void A_test_finds_no_fault_on_a_good_node_and_one_where_the_hardware_is_broken(string name)
    {
        TinyRun.RequireTorch();
        Assert.NotEqual(DiagnosticOutcome.Failed, Run(name).Outcome);
        File.WriteAllText(_folder[$"diagnose-{name}-node-b"], "");
        Assert.NotEqual(DiagnosticOutcome.Failed, Run(name).Outcome);
        File.WriteAllText(_folder[$"diagnose-{name}-{Node}"], "");

        var found = Run(name);
        Assert.Equal(DiagnosticOutcome.Failed, found.Outcome);
        Assert.NotEmpty(found.Detail);
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.bin"));   // nothing is left behind
    }

    /// <summary>The digests in the source are of exact integers: computed here without a floating-point unit.</summary>
    [Theory]
    [InlineData(64), InlineData(512)]
    public void The_known_digest_of_the_product_is_that_of_integer_arithmetic(int size)
    {
        var product = new float[size * size];
        var column = new int[size];
        for (var j = 0; j < size; j++)
        {
            for (var k = 0; k < size; k++) column[k] = MatrixProductTest.Element(2, k, j);
            for (var i = 0; i < size; i++)
            {
                var sum = 0;
                for (var k = 0; k < size; k++) sum += MatrixProductTest.Element(1, i, k) * column[k];
                product[i * size + j] = sum;
            }
        }

        Assert.Equal(MatrixProductTest.Known(size), MatrixProductTest.Digest(MemoryMarshal.AsBytes(product.AsSpan())));
    }

    [Fact]
    public void The_training_step_ends_in_the_same_bits_on_every_node_of_one_environment()
    {
        TinyRun.RequireTorch();
        var (here, there) = (Run(DiagnosticTests.TrainingStep), Run(DiagnosticTests.TrainingStep));
        Assert.NotNull(here.Digest);
        Assert.Equal((here.Digest, here.Environment), (there.Digest, there.Environment));
    }

    [Theory]
    [InlineData(2), InlineData(3), InlineData(4), InlineData(7), InlineData(8)]
    public void In_the_tournament_everybody_meets_everybody_once_and_both_at_the_same_time(int size)
    {
        var rounds = Enumerable.Range(0, size).Select(rank => CollectivesTest.Partners(rank, size).ToArray()).ToArray();
        for (var rank = 0; rank < size; rank++)
        {
            Assert.Equal(Enumerable.Range(0, size).Where(r => r != rank), rounds[rank].Where(p => p >= 0).Order());
            for (var round = 0; round < rounds[rank].Length; round++)
            {
                if (rounds[rank][round] is >= 0 and var partner) Assert.Equal(rank, rounds[partner][round]);
            }
        }
    }

    [Theory]
    [InlineData("0, GPU-1, NVIDIA H100 80GB HBM3, 0, [N/A], No, No", null)]
    [InlineData("0, GPU-1, NVIDIA A100-SXM4-80GB, 0, No, 0, 0", null)]
    [InlineData("0, GPU-1, Tesla T4, [N/A], [N/A], [N/A], [N/A]", null)]
    [InlineData("3, GPU-1, NVIDIA H100 80GB HBM3, 2, [N/A], No, No", "device 3 (NVIDIA H100 80GB HBM3): 2 uncorrected memory errors")]
    [InlineData("0, GPU-1, NVIDIA A100-SXM4-80GB, 0, No, 1, 0", "device 0 (NVIDIA A100-SXM4-80GB): memory rows wait for a reset to be remapped")]
    [InlineData("0, GPU-1, NVIDIA A100-SXM4-80GB, 5, No, 1, 1", "device 0 (NVIDIA A100-SXM4-80GB): a memory row could not be remapped")]
    [InlineData("0, GPU-1, Tesla V100-SXM2-32GB, 0, Yes, [N/A], [N/A]", "device 0 (Tesla V100-SXM2-32GB): memory pages wait for a reset to be retired")]
    [InlineData("1, GPU-1, NVIDIA H100, [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost]", "device 1 (NVIDIA H100): does not answer on the bus")]
    public void The_drivers_words_about_a_device_are_understood(string line, string? fault)
    {
        var found = DevicesTest.Judge(NvidiaSmi.Parse($"{NvidiaSmi.Fields}\n{line}\n"));
        Assert.Equal(fault is null ? DiagnosticOutcome.Passed : DiagnosticOutcome.Failed, found.Outcome);
        if (fault is not null) Assert.Equal(fault, found.Detail);
    }

    [Fact]
    public void An_answer_of_another_form_is_not_taken_for_a_healthy_device() =>
        Assert.Throws<FormatException>(() => NvidiaSmi.Parse($"{NvidiaSmi.Fields}\nNVIDIA-SMI has failed\n"));

    private Finding Run(string name) => Test(name).Run(new(s_small, _folder.Path, new(_folder.Path, Node), TimeProvider.System, TestContext.Current.CancellationToken) { Devices = [CPU] });

    private static IDiagnosticTest Test(string name) => name switch
    {
        DiagnosticTests.Devices => new DevicesTest(),
        DiagnosticTests.Memory => new MemoryTest(),
        DiagnosticTests.MatrixProduct => new MatrixProductTest(),
        DiagnosticTests.Disk => new DiskTest(),
        _ => new TrainingStepTest(),
    };
}
