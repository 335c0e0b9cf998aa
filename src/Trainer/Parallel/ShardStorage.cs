using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Model;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>
/// Everything one rank keeps between steps: its shards of all units side by side in flat fp32 vectors (master weights, gradient, and the two
/// moments of Adam), and the weights rounded to the wire type where that is 16 bit.
/// </summary>
internal sealed class ShardStorage : IDisposable
{
    private readonly long[] _offsets;
    private readonly Tensor[] _masters, _gradients, _wires;
    private readonly Mesh _mesh;

    public ShardStorage(IReadOnlyList<UnitSpec> units, Mesh mesh, Precision precision, bool moments, Device device)
    {
        _mesh = mesh;
        Layouts = [.. units.Select(u => new UnitLayout(u, mesh.TensorParallel, mesh.DataParallel))];
        _offsets = new long[Layouts.Count + 1];
        for (var u = 0; u < Layouts.Count; u++) _offsets[u + 1] = _offsets[u] + Layouts[u].ShardElements;
        WireType = precision switch { Precision.Fp16 => float16, Precision.Bf16 => bfloat16, _ => float32 };
        Master = zeros([Total], float32, device);
        Gradient = zeros([Total], float32, device);
        FirstMoment = moments ? zeros([Total], float32, device) : null;
        SecondMoment = moments ? zeros([Total], float32, device) : null;
        Wire = WireType == float32 ? Master : zeros([Total], WireType, device);
        _masters = Views(Master);
        _gradients = Views(Gradient);
        _wires = ReferenceEquals(Wire, Master) ? _masters : Views(Wire);
    }

    public Mesh Mesh => _mesh;

    public IReadOnlyList<UnitLayout> Layouts { get; }

    /// <summary>Elements of this rank over all units, padding included.</summary>
    public long Total => _offsets[^1];

    /// <summary>Type in which parameters are gathered and gradients reduced.</summary>
    public ScalarType WireType { get; }

    public Tensor Master { get; }
    public Tensor Gradient { get; }
    public Tensor? FirstMoment { get; }
    public Tensor? SecondMoment { get; }
    public Tensor Wire { get; }

    public Tensor MasterOf(int unit) => _masters[unit];
    public Tensor GradientOf(int unit) => _gradients[unit];
    public Tensor WireOf(int unit) => _wires[unit];

    /// <summary>Rounds the master weights to the wire type; after every change of them.</summary>
    public void RefreshWire()
    {
        if (!ReferenceEquals(Wire, Master)) Wire.copy_(Master);
    }

    /// <summary>Initial weights, each rank its own shards.</summary>
    public void Initialise(long seed)
    {
        for (var u = 0; u < Layouts.Count; u++)
        {
            foreach (var slice in Layouts[u].SlicesOf(_mesh.DataRank))
            {
                var parameter = Layouts[u].Unit.Parameters[Layouts[u].IndexOf(slice.Parameter)];
                using var run = _masters[u].narrow(0, slice.UnitOffset, slice.Length);
                ParameterInit.Fill(run, parameter, slice, _mesh.TensorRank, _mesh.TensorParallel, seed);
            }
        }

        RefreshWire();
    }

    /// <summary>What this rank holds, for checkpoints.</summary>
    public ShardLayout Describe() => new()
    {
        Rank = _mesh.Rank,
        WorldSize = _mesh.WorldSize,
        TensorParallelRank = _mesh.TensorRank,
        TensorParallelSize = _mesh.TensorParallel,
        Slices = [.. Layouts.SelectMany(l => l.SlicesOf(_mesh.DataRank))],
    };

    /// <summary>The buffers a checkpoint holds. Writing does not refresh the wire copy: call <see cref="RefreshWire"/> after a restore.</summary>
    public IReadOnlyList<StateBuffer> Buffers()
    {
        List<StateBuffer> buffers = [];
        foreach (var (slot, flat) in new[] { (StateBuffer.Master, (Tensor?)Master), (StateBuffer.FirstMoment, FirstMoment), (StateBuffer.SecondMoment, SecondMoment) })
        {
            if (flat is null) continue;
            for (var u = 0; u < Layouts.Count; u++) buffers.Add(Buffer(flat, slot, u));
        }

        return buffers;
    }

    /// <summary>Sum of squares of this rank's master weights, replicated ones included: for comparing ranks, not for norms.</summary>
    public double WeightSumOfSquares() => ops.opt.sum_of_squares(Master);

    /// <summary>Zeroes the optimizer's moments.</summary>
    public void ForgetMoments()
    {
        FirstMoment?.zero_();
        SecondMoment?.zero_();
    }

    /// <summary>Σ of squares of the gradient that this rank counts towards the global norm: what is replicated over tensor-parallel ranks counts on the first of them only.</summary>
    public double GradientSumOfSquares()
    {
        if (_mesh.TensorParallel == 1) return ops.opt.sum_of_squares(Gradient);
        var sum = 0.0;
        for (var u = 0; u < Layouts.Count; u++)
        {
            foreach (var slice in Layouts[u].SlicesOf(_mesh.DataRank).Where(s => s.TensorParallelDim is not null || _mesh.TensorRank == 0))
            {
                using var run = _gradients[u].narrow(0, slice.UnitOffset, slice.Length);
                sum += ops.opt.sum_of_squares(run);
            }
        }

        return sum;
    }

    public void Dispose()
    {
        foreach (var view in _masters.Concat(_gradients).Concat(_wires).Distinct()) view.Dispose();
        foreach (var flat in new[] { Master, Gradient, FirstMoment, SecondMoment, Wire }) flat?.Dispose();
    }

    private StateBuffer Buffer(Tensor flat, string slot, int unit)
    {
        var offset = _offsets[unit];
        var length = checked((int)Layouts[unit].ShardElements);
        return new()
        {
            Unit = Layouts[unit].Unit.Name,
            Slot = slot,
            Length = length,
            Read = destination => Read(flat, offset, destination),
            Write = (at, source) => Write(flat, offset + at, source),
        };
    }

    private static void Read(Tensor flat, long offset, Span<float> destination)
    {
        using var view = flat.narrow(0, offset, destination.Length).DetachFromDisposeScope();
        using var host = view.cpu().DetachFromDisposeScope();
        host.AsSpan<float>().CopyTo(destination);
    }

    private static void Write(Tensor flat, long offset, ReadOnlySpan<float> source)
    {
        using var view = flat.narrow(0, offset, source.Length).DetachFromDisposeScope();
        using var host = tensor(source, [source.Length]).DetachFromDisposeScope();
        view.copy_(host);
    }

    private Tensor[] Views(Tensor flat) => [.. Layouts.Select((l, u) => flat.narrow(0, _offsets[u], l.ShardElements))];
}
