using System.Security.Cryptography;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Model;
using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>
/// Everything one rank keeps between steps: its shards of all units side by side in flat fp32 vectors (master weights, gradient, and the two
/// moments of Adam), and the weights rounded to the wire type where that is 16 bit. Without master weights the rounded ones are all there is,
/// as OPT ran.
/// </summary>
internal sealed class ShardStorage : IDisposable
{
    private readonly long[] _offsets;
    private readonly Tensor[] _masters, _gradients, _wires;
    private readonly Mesh _mesh;
    private readonly Device _device;
    private IReadOnlyList<ShardRun>? _byKind;

    /// <param name="moments">Keep the two moments of Adam.</param>
    /// <param name="masterWeights">Keep the weights in fp32 beside a 16-bit wire type.</param>
    public ShardStorage(IReadOnlyList<UnitSpec> units, Mesh mesh, Precision precision, bool moments, Device device, bool masterWeights = true)
    {
        (_mesh, _device) = (mesh, device);
        Layouts = [.. units.Select(u => new UnitLayout(u, mesh.TensorParallel, mesh.ShardParallel))];
        _offsets = new long[Layouts.Count + 1];
        for (var u = 0; u < Layouts.Count; u++) _offsets[u + 1] = _offsets[u] + Layouts[u].ShardElements;
        WireType = precision switch { Precision.Fp16 => float16, Precision.Bf16 => bfloat16, _ => float32 };
        Master = zeros([Total], masterWeights ? float32 : WireType, device);
        Gradient = zeros([Total], float32, device);
        FirstMoment = moments ? zeros([Total], float32, device) : null;
        SecondMoment = moments ? zeros([Total], float32, device) : null;
        Wire = WireType == Master.dtype ? Master : zeros([Total], WireType, device);
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

    /// <summary>The weights that updates change: fp32, or of the wire type without master weights.</summary>
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
            foreach (var slice in Layouts[u].SlicesOf(_mesh.ShardRank))
            {
                var parameter = Layouts[u].Unit.Parameters[Layouts[u].IndexOf(slice.Parameter)];
                SetMaster(u, slice, run => ParameterInit.Fill(run, parameter, slice, _mesh.TensorRank, _mesh.TensorParallel, seed));
            }
        }

        RefreshWire();
    }

    /// <summary>Sets the weights of one slice.</summary>
    /// <param name="fill">Writes all of a contiguous fp32 tensor on the CPU.</param>
    public void SetMaster(int unit, ParameterSlice slice, Action<Tensor> fill)
    {
        using var run = _masters[unit].narrow(0, slice.UnitOffset, slice.Length);
        if (run.dtype == float32 && _device.type == DeviceType.CPU)
        {
            fill(run);
            return;
        }

        using var staged = empty([slice.Length], float32);
        fill(staged);
        run.copy_(staged);
    }

    /// <summary>The flat vectors in runs to update: cut where weight decay begins or ends to apply, or in units where weights must be widened first, or whole.</summary>
    /// <param name="byKind">Parameters of one dimension do not decay.</param>
    public IReadOnlyList<ShardRun> Runs(bool byKind)
    {
        if (byKind) return _byKind ??= ShardRun.Merge(Layouts.SelectMany(KindsOf));
        return Master.dtype == float32 ? [new(0, Total, Decays: true)] : [.. Layouts.Select((l, u) => new ShardRun(_offsets[u], l.ShardElements, Decays: true))];
    }

    /// <summary>What this rank holds, for checkpoints.</summary>
    public ShardLayout Describe() => new()
    {
        Rank = _mesh.Rank,
        WorldSize = _mesh.WorldSize,
        TensorParallelRank = _mesh.TensorRank,
        TensorParallelSize = _mesh.TensorParallel,
        Slices = [.. Layouts.SelectMany(l => l.SlicesOf(_mesh.ShardRank))],
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

    /// <summary>Waits until every change that was issued is made, so that another thread may read.</summary>
    public void FinishWrites()
    {
        if (_device.type == DeviceType.CUDA) cuda.synchronize(_device);
    }

    /// <summary>For a thread that reads while another computes: on an accelerator its copies go through a stream of their own.</summary>
    public void ReadBesideComputation()
    {
        if (_device.type == DeviceType.CUDA) cuda.use_own_stream(_device);
    }

    /// <summary>Sum of squares of this rank's master weights, replicated ones included: for comparing ranks, not for norms.</summary>
    public double WeightSumOfSquares() => ops.opt.sum_of_squares(Master);

    /// <summary>Zeroes the optimizer's moments.</summary>
    public void ForgetMoments()
    {
        FirstMoment?.zero_();
        SecondMoment?.zero_();
    }

    /// <summary>
    /// Σ of squares of the gradient that this rank counts towards the global norm of one copy of the state: what is replicated over
    /// tensor-parallel ranks counts on the first of them only. And whether all of this rank's gradient is finite, counted or not.
    /// </summary>
    public (double Counted, bool Finite) GradientSquares()
    {
        if (_mesh.TensorParallel == 1) return WithCheck(ops.opt.sum_of_squares(Gradient));
        var (counted, others) = (0.0, 0.0);
        for (var u = 0; u < Layouts.Count; u++)
        {
            foreach (var slice in Layouts[u].SlicesOf(_mesh.ShardRank))
            {
                using var run = _gradients[u].narrow(0, slice.UnitOffset, slice.Length);
                var squares = ops.opt.sum_of_squares(run);
                if (slice.TensorParallelDim is not null || _mesh.TensorRank == 0) counted += squares;
                else others += squares;
            }
        }

        return (counted, double.IsFinite(counted + others));

        static (double, bool) WithCheck(double sum) => (sum, double.IsFinite(sum));
    }

    /// <summary>Digest of weights and moments, positive; of the parameters alone that every tensor-parallel rank holds whole, or of everything.</summary>
    public long Digest(bool replicatedOnly)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var flat in new[] { Master, FirstMoment, SecondMoment }.OfType<Tensor>())
        {
            foreach (var (offset, length) in replicatedOnly ? Replicated() : [(0L, Total)])
            {
                using var run = flat.narrow(0, offset, length).DetachFromDisposeScope();
                using var host = run.cpu().DetachFromDisposeScope();
                hash.AppendData(host.bytes);
            }
        }

        return BitConverter.ToInt64(hash.GetHashAndReset()) & long.MaxValue;
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
        using var wide = view.to(float32).DetachFromDisposeScope();
        using var host = wide.cpu().DetachFromDisposeScope();
        host.AsSpan<float>().CopyTo(destination);
    }

    private static void Write(Tensor flat, long offset, ReadOnlySpan<float> source)
    {
        using var view = flat.narrow(0, offset, source.Length).DetachFromDisposeScope();
        using var host = tensor(source, [source.Length]).DetachFromDisposeScope();
        view.copy_(host);
    }

    // Padding goes with nothing that decays: it is zero and stays so.
    private IEnumerable<ShardRun> KindsOf(UnitLayout layout, int unit)
    {
        var end = 0L;
        foreach (var slice in layout.SlicesOf(_mesh.ShardRank))
        {
            yield return new(_offsets[unit] + slice.UnitOffset, slice.Length, Decays: slice.Shape.Count > 1);
            end = slice.UnitOffset + slice.Length;
        }

        if (end < layout.ShardElements) yield return new(_offsets[unit] + end, layout.ShardElements - end, Decays: false);
    }

    private IEnumerable<(long Offset, long Length)> Replicated() =>
        Layouts.SelectMany((layout, u) => layout.SlicesOf(_mesh.ShardRank).Where(s => s.TensorParallelDim is null).Select(s => (_offsets[u] + s.UnitOffset, s.Length)));

    private Tensor[] Views(Tensor flat) => [.. Layouts.Select((l, u) => flat.narrow(0, _offsets[u], l.ShardElements))];
}
